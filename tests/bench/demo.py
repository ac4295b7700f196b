"""`make bench-demo`: the main job on MovieLens-100K at 100 events a second, as its own summary tells it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from streams.settings.variables import variable_of
from tests.bench.offline import ndcg_at_10
from tests.bench.report import Figure, save
from workers.datasets import load_dataset

_RATE: Final = "100"
_SMOKE: Final = ("sample", "--events", "300")


def measure(dataset: str, *arguments: str) -> dict[str, Any]:
    """Run `headrace demo` and return what its `--json` wrote, and `offline_ndcg_at_10` of the same model."""
    with tempfile.TemporaryDirectory() as directory:
        summary, models = Path(directory) / "summary.json", Path(directory) / "models"
        command = [sys.executable, "-m", "workers.cli", "demo", "--rate", _RATE, "--json", str(summary)]
        told = os.environ | {variable_of("training.directory"): str(models)}
        subprocess.run([*command, "--dataset", dataset, *arguments], check=True, env=told)
        found: dict[str, Any] = json.loads(summary.read_text())
        bundle = next(models.rglob(found["model"]))
        found["offline_ndcg_at_10"] = ndcg_at_10(load_dataset(dataset), bundle, found["events"])
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
        Figure("offline_ndcg_at_10", summary["offline_ndcg_at_10"], ""),
        Figure("demo_over_library_ndcg", ndcg["headrace"] / summary["offline_ndcg_at_10"], "×", ">= 0.97"),
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
    print(save("demo", figures(measure("movielens-100k"))))


if __name__ == "__main__":
    main()
