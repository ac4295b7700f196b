"""The committed dashboards as tests read them: panels, their queries, and the names of metrics in them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
DIRECTORY: Final = DEPLOY / "grafana" / "dashboards"
_NAME: Final = re.compile(r"\b(?:headrace|process|python)_[a-z0-9_]+|\bup\b")
_STRING: Final = re.compile(r'"[^"]*"')
RANGES: Final[dict[str, tuple[float, float]]] = {
    "percentunit": (0, 1),
    "s": (0, 50 * 365 * 86_400),
    "short": (0, 1e9),
    "bytes": (1e6, 1e12),
    "recps": (0, 1e6),
    "cps": (0, 1e8),
    "mps": (0, 1e6),
}
"""Unit -> smallest and largest value that make sense; a unit that is not here may not be used."""


class Panel(NamedTuple):
    """One panel that asks Prometheus something."""

    board: str
    title: str
    kind: str
    description: str
    unit: str
    place: tuple[int, int, int, int]
    targets: tuple[dict[str, Any], ...]
    raw: dict[str, Any]

    @property
    def exprs(self) -> tuple[str, ...]:
        return tuple(target["expr"] for target in self.targets)

    @property
    def name(self) -> str:
        return f"{self.board}: {self.title}"


@cache
def documents() -> dict[str, dict[str, Any]]:
    """Return every dashboard by uid."""
    found = [json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))]
    return {document["uid"]: document for document in found}


@cache
def panels() -> tuple[Panel, ...]:
    """Return every panel of every dashboard, rows left out."""
    return tuple(
        Panel(
            board=uid,
            title=raw["title"],
            kind=raw["type"],
            description=raw.get("description", ""),
            unit=raw["fieldConfig"]["defaults"].get("unit", ""),
            place=(raw["gridPos"]["x"], raw["gridPos"]["y"], raw["gridPos"]["w"], raw["gridPos"]["h"]),
            targets=tuple(raw["targets"]),
            raw=raw,
        )
        for uid, document in documents().items()
        for raw in document["panels"]
        if raw["type"] != "row"
    )


def names_in(expr: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    return set(_NAME.findall(_STRING.sub('""', expr)))


def filled(expr: str, window: str, shown: str) -> str:
    """Return the expression as Grafana would send it, with everything chosen.

    Args:
        window: for `$__rate_interval`.
        shown: for `$__range`, the time that the dashboard shows.
    """
    for variable, value in (("$__rate_interval", window), ("$__range", shown)):
        expr = expr.replace(variable, value)
    return re.sub(r"\$[a-z]+", ".*", expr)
