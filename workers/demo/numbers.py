"""What the demo measures while it runs, and in the end."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_RATE_WINDOW_SECONDS = 5.0


class Freshness(NamedTuple):
    """Seconds from an event's CreateTime to its slate in the consumer's hands; None before the first."""

    p50: float | None
    p95: float | None
    p99: float | None


class Numbers(NamedTuple):
    """One moment of a replay.

    Attributes:
        lag: events that were sent and whose slate has not been read.
    """

    sent: int
    total: int
    unanswered: int
    lag: int
    events_per_second: float
    slates_per_second: float
    freshness: Freshness
    hit_rate: float
    popularity_hit_rate: float


def freshness(seconds: Sequence[float]) -> Freshness:
    """Return the percentiles of measured `seconds`."""
    if not seconds:
        return Freshness(None, None, None)
    p50, p95, p99 = (round(float(value), 4) for value in np.percentile(seconds, (50, 95, 99)))
    return Freshness(p50, p95, p99)


class Pace:
    """How fast a counter grows, over the last seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def per_second(self, now: float, count: int) -> float:
        """Return the rate after `count` at `now`; 0 at the first call."""
        self._points.append((now, count))
        while now - self._points[0][0] > _RATE_WINDOW_SECONDS and len(self._points) > 2:
            self._points.popleft()
        (start, first) = self._points[0]
        return (count - first) / (now - start) if now > start else 0.0
