"""A ranking worker that starts on such topics, in a process of its own that is given their folder.

It is the worker's own code from the bytes of the records on; the broker and its client are left out.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import faiss
import torch
from threadpoolctl import threadpool_limits

from streams.contracts import Record
from streams.settings import Settings
from streams.topics import USER_STATE
from streams.transform import Apply
from tests.bench.scale_parts.records import ENCODER, Line, read
from workers.ranking.transform import RankingTransform
from workers.ranking.world import World

_BATCH = 128


class FileTopic:
    """Stands for `WholeTopic`."""

    folder: Path

    def __init__(self, _: Settings, topic: str, apply: Apply, *, gathers: bool = False) -> None:
        self.offsets = [0]
        self.newest_seconds = 0.0
        self.caught_up = False
        self._records: Iterator[Line] = read(self.folder, topic)
        self._apply = apply
        self._topic = topic

    def poll(self, most: int = 1_000) -> int:
        """Apply up to `most` records."""
        for number in range(most):
            if (line := next(self._records, None)) is None:
                self.caught_up = True
                return number
            self._apply(0, *line)
            self.offsets[0] += 1
        return most

    def rewind(self) -> None:
        """Read everything again."""
        self._records, self.caught_up = read(self.folder, self._topic), False

    def close(self) -> None:
        """Nothing is open."""


def start(folder: Path) -> dict[str, float]:
    """Return seconds and bytes of the start, and what came of it.

    Ready is when the first slates were made; settled, when the indexes have the lists they are searched by.
    """
    threadpool_limits(1, user_api="blas")
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    settings = Settings()
    before, cpu_before = time.monotonic(), time.process_time()
    FileTopic.folder = folder
    with patch("workers.ranking.world.WholeTopic", FileTopic):
        world = World(settings, ENCODER)
    while not world.caught_up or world.generation is None:
        world.follow()
    world_seconds, world_bytes = time.monotonic() - before, _status("VmRSS")
    transform = RankingTransform(settings, world)
    loaded = 0
    for log in transform.assigned([0]):
        for key, value in read(folder, log.topic):
            log.load(0, key, value)
            loaded += 1
    transform.restored([0])
    states = [line for line, _ in zip(read(folder, USER_STATE), range(_BATCH), strict=False)]
    taken = [
        transform.decode(Record(USER_STATE, 0, number, 0, key, value, ()))
        for number, (key, value) in enumerate(states)
    ]
    outputs = list(transform.handle(taken))  # type: ignore[arg-type]
    transform.kept({})
    ready, ready_cpu = time.monotonic() - before, time.process_time() - cpu_before
    generation, ready_bytes = world.generation, _status("VmRSS")
    world.close()  # waits for the lists
    if generation.texts is not None:
        generation.texts.close()
    return {
        "ready_bytes": ready_bytes,
        "settled_cpu_seconds": time.process_time() - cpu_before,
        "world_seconds": world_seconds,
        "ready_seconds": ready,
        "ready_cpu_seconds": ready_cpu,
        "world_bytes": world_bytes,
        "worker_bytes": _status("VmRSS"),
        "most_bytes": _status("VmHWM"),
        "items": len(generation.index),
        "users": len(generation.lookalikes),
        "loaded": loaded,
        "published": len(outputs),
    }


def _status(name: str) -> float:
    """Return a line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(start(Path(sys.argv[1]))))
    sys.stdout.flush()
    os._exit(0)  # indexes may be at work in their threads for a while yet, and nothing here is to be kept
