"""What measuring costs the ranking worker: the same batches with every measurement, and with none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from prometheus_client import Counter, Gauge, Histogram

from streams.contracts import Record
from tests.bench.watching_world import Place
from workers.ranking import transform
from workers.ranking.batch_histogram import BatchHistogram
from workers.ranking.laps import Laps
from workers.ranking.watching import CoverageWatch, FreshnessWatch

_USERS = 64
_ITEMS = 2_000
_WARM = 6
_MEASUREMENTS = (
    *((kind, name) for kind in (Counter, Gauge) for name in ("inc",)),
    (Gauge, "set"),
    (Histogram, "observe"),
    (BatchHistogram, "observe"),
    *((Laps, name) for name in ("start", "lap", "report")),
    *((FreshnessWatch, name) for name in ("made", "delivered")),
    (CoverageWatch, "measure"),
    *((transform, name) for name in ("watch_quality", "watch_popularity")),
)


def instrumentation_share(batches: int) -> float:
    """Return the share of a batch's processor time that measuring takes.

    Each batch is handled twice, once with all measurements replaced by nothing; which comes first alternates, and
    two batches are compared together: the second turn of a batch knows its users. The median of these comparisons
    is taken, so that what else the machine does meets both sides. Decoding, ranking and keeping count; the
    broker's part, which would make the share smaller, does not.

    Args:
        batches: an even number.
    """
    torch.set_num_threads(1)
    place = Place(_ITEMS)
    measured: list[float] = []
    bare: list[float] = []
    try:
        for number, batch in enumerate(place.batches(batches + _WARM, _USERS)):
            for turn in (number, number + 1):
                if turn % 2:
                    with _unmeasured():
                        bare.append(_cpu_seconds(place, batch))
                else:
                    measured.append(_cpu_seconds(place, batch))
    finally:
        place.close()
    with_it, without = (np.reshape(kind[_WARM:], (-1, 2)).sum(axis=1) for kind in (measured, bare))
    return float(np.median(1 - without / with_it))


def _cpu_seconds(place: Place, batch: list[Record]) -> float:
    before = time.thread_time()
    place.handle(batch)
    return time.thread_time() - before


@contextmanager
def _unmeasured() -> Iterator[None]:
    patches = [patch.object(owner, name, _nothing) for owner, name in _MEASUREMENTS]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def _nothing(*arguments: object, **named: object) -> None:
    return None
