"""`make bench-demo`: the main job on MovieLens-100K at 100 events a second, as its own summary tells it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.bench.report import Figure, save

_RATE: Final = "100"
_SMOKE: Final = ("--dataset", "sample", "--events", "300")


def measure(*arguments: str) -> dict[str, Any]:
    """Run `headrace demo` and return what its `--json` wrote."""
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        command = [sys.executable, "-m", "workers.cli", "demo", "--rate", _RATE, "--json", str(summary)]
        subprocess.run([*command, *arguments], check=True)
        found: dict[str, Any] = json.loads(summary.read_text())
        return found


def figures(summary: dict[str, Any]) -> list[Figure]:
    """Return the figures of one run."""
    ndcg, hits, fresh = summary["ndcg_at_10"], summary["hit_rate_at_10"], summary["freshness_seconds"]
    return [
        Figure("events", summary["events"], "events", ">= 10000"),
        Figure("rejected", summary["rejected"], "events", "== 0"),
        Figure("unanswered_share", summary["unanswered"] / summary["events"], "of events", "<= 0.005"),
        Figure("users_up_to_date_share", summary["users_up_to_date"] / summary["users"], "of users", "== 1"),
        Figure("ndcg_at_10", ndcg["headrace"], ""),
        Figure("hit_rate_at_10", hits["headrace"], ""),
        Figure("ndcg_over_popularity", ndcg["headrace"] / ndcg["popularity"], "×", ">= 2"),
        Figure("freshness_seconds_p50", fresh["p50"], "s", "<= 0.1"),
        Figure("freshness_seconds_p99", fresh["p99"], "s"),
        Figure("wall_seconds", summary["wall_seconds"], "s", "<= 360"),
    ]


def main() -> None:
    """Measure and save; with `--smoke`, only show that a small run works."""
    if "--smoke" in sys.argv:
        for figure in figures(measure(*_SMOKE)):
            print(f"{figure.key}: {figure.value:g} {figure.unit}")
        return
    print(save("demo", figures(measure())))


if __name__ == "__main__":
    main()
