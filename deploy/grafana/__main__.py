"""Writes every dashboard, or with `--check` returns 1 when a committed file is not the generated one."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import feedback, models, overview, pipeline, worker
from deploy.grafana.board import Board

DIRECTORY = Path(__file__).parent / "dashboards"


def boards() -> list[Board]:
    """Return every dashboard, in the order in which a reader should meet them."""
    return [overview.board(), pipeline.board(), models.board(), feedback.board(), worker.board()]


def rendered() -> dict[str, str]:
    """Return file name -> JSON text of every dashboard."""
    return {
        f"{board.uid}.json": json.dumps(board.build(), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"
        for board in boards()
    }


def main() -> int:
    """Write or check."""
    stale = []
    for name, text in rendered().items():
        path = DIRECTORY / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text)
    sys.stdout.write("\n".join(f"{'stale' if '--check' in sys.argv else 'wrote'} {name}" for name in stale) + "\n")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
