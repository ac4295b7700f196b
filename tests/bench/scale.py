"""`make bench-scale`: memory and start of one ranking worker that knows a million items and owns a million users.

The topics are drawn into files first (about 3 GB, removed at the end). ARGS: `--users N`, `--items N`, `--smoke`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.report import Figure, save
from tests.bench.scale_parts.records import make

FULL: Final = 1_000_000
SMOKE: Final = 2_000
_GB: Final = 1e9
_SECONDS: Final = 540


def figures(users: int, items: int) -> list[Figure]:
    """Return what one start took.

    Raises:
        RuntimeError: the worker did not come up with everything that was written.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-scale-") as folder:
        make(Path(folder), users, items)
        command = [sys.executable, "-m", "tests.bench.scale_parts.worker", folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=_SECONDS)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if (found["items"], found["users"], found["loaded"]) != (items, users, 2 * users):
        raise RuntimeError(f"the worker did not read everything: {found}")
    return [
        Figure("worker_gb", found["worker_bytes"] / _GB, "GB", "<= 4"),
        Figure("worker_ready_gb", found["ready_bytes"] / _GB, "GB"),
        Figure("worker_most_gb", found["most_bytes"] / _GB, "GB"),
        Figure("world_gb", found["world_bytes"] / _GB, "GB"),
        Figure("ready_seconds", found["ready_seconds"], "s", "<= 60"),
        Figure("ready_cpu_seconds", found["ready_cpu_seconds"], "s"),
        Figure("settled_cpu_seconds", found["settled_cpu_seconds"], "s"),
        Figure("world_seconds", found["world_seconds"], "s"),
        Figure("scale_users", users, "users"),
        Figure("scale_items", items, "items"),
    ]


def main() -> None:
    """Measure and save; with other sizes, only show."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=FULL)
    parser.add_argument("--items", type=int, default=FULL)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    users, items = (SMOKE, SMOKE) if options.smoke else (options.users, options.items)
    found = figures(users, items)
    for figure in found:
        print(f"{figure.key}: {figure.value:g} {figure.unit}")
    if (users, items) == (FULL, FULL):
        print(save("scale", found))


if __name__ == "__main__":
    main()
