"""Writes the measured figures into the README, between its markers; `--check` only compares."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.bench.report import RESULTS

README: Final = Path(__file__).parents[2] / "README.md"
BEGIN: Final = "<!-- figures: written by `make figures` -->"
END: Final = "<!-- end of figures -->"
_VERDICTS: Final = {True: "met", False: "**missed**", None: ""}


def section(directory: Path = RESULTS) -> str:
    """Return a table of every result file, in the order of their names."""
    return "\n".join(_table(path) for path in sorted(directory.glob("*.json")))


def replaced(text: str, new: str) -> str:
    """Return `text` with what stands between the markers replaced.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md needs the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


def _table(path: Path) -> str:
    found = json.loads(path.read_text())
    lines = [f"**`make bench-{path.stem}`** · {found['date']} · {found['machine']}", ""]
    lines += ["| figure | measured | goal | |", "|---|---|---|---|"]
    lines += [_row(key, figure) for key, figure in found["figures"].items()]
    return "\n".join(lines) + "\n"


def _row(key: str, figure: dict[str, Any]) -> str:
    value, unit = figure["value"], figure["unit"]
    shown = f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.4g}"
    goal = (figure["goal"] or "").replace(">=", "≥").replace("<=", "≤").replace("==", "=")
    return f"| `{key}` | {shown} {unit} | {goal} | {_VERDICTS[figure['met']]} |"


def main() -> int:
    """Write the section, or with `--check` return 1 when the README's is not the measured one."""
    text = README.read_text()
    wanted = replaced(text, section())
    if "--check" in sys.argv:
        return int(text != wanted)
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
