"""Whether the index still finds what it should: now and then, the newest queries are asked again of every row."""

import logging
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType

import numpy as np

from index.live import LiveIndex
from index.metrics import RECALL, RECALL_PROBE_SECONDS, RECALL_PROBES
from streams.clock import monotonic_seconds

EVERY_SECONDS = 5.0
"""Shortest rest between two probes."""
REST_RATIO = 1_000
"""A rest lasts so many times as long as the probe before it (55 ms of processor time over 100,000 rows of 64
numbers): however large the index, probing takes a thousandth of one core."""
NEIGHBOURS = 100
QUERIES = 4
_log = logging.getLogger(__name__)


def recall(index: LiveIndex, neighbours: int = NEIGHBOURS, queries: int = QUERIES) -> float | None:
    """Return the share of the true nearest that `index` finds for the newest queries, 0 to 1.

    By score and not by key, so that equal vectors count alike.

    Returns:
        None where nothing was asked yet or nothing is held.
    """
    asked = index.asked[:queries]
    if not len(asked) or not len(index):
        return None
    k = min(neighbours, len(index))
    truth = index.nearest_scores(asked, k)
    found = index.search(asked, k).scores[:, : truth.shape[1]]
    if not truth.size:
        return None
    enough = truth[:, -1:] - 1e-5 * np.abs(truth[:, -1:])  # the slack is float32 rounding
    return float((found >= enough).mean())


class RecallProbe:
    """Probes in a thread of its own while the `with` lasts.

    Args:
        current: returns the index that serves, or None while there is none.
        name: label of the metrics.
    """

    def __init__(
        self, current: Callable[[], LiveIndex | None], every_seconds: float = EVERY_SECONDS, name: str = "items"
    ) -> None:
        self._current = current
        self._every_seconds = every_seconds
        self._name = name
        self._ended = Event()
        self._thread = Thread(target=self._run, name="recall-probe", daemon=True)

    def probe(self) -> None:
        """Probe once and report; a failure is logged and shows as probes that no longer count up."""
        index = self._current()
        if index is None:
            return
        started = monotonic_seconds()
        try:
            found = recall(index)
        except Exception:
            _log.exception("recall probe failed")
            return
        if found is not None:
            RECALL.labels(self._name).set(found)
            RECALL_PROBES.labels(self._name).inc()
            RECALL_PROBE_SECONDS.labels(self._name).set(monotonic_seconds() - started)

    def _run(self) -> None:
        rest_seconds = self._every_seconds
        while not self._ended.wait(rest_seconds):
            started = monotonic_seconds()
            self.probe()
            rest_seconds = max(self._every_seconds, REST_RATIO * (monotonic_seconds() - started))

    def __enter__(self) -> "RecallProbe":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
