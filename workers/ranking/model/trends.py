"""How popular and how well rated each item was at any moment of the data."""

from typing import Final

import numpy as np
import numpy.typing as npt

from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.signals import RATING_BUCKETS, Integers

HALF_LIVES_DAYS: Final = (1.0, 7.0, 36_500.0)
TRENDS: Final = len(HALF_LIVES_DAYS) + 1
"""Numbers an item: log1p of its decayed events by half-life (the last one is all time), and its rating."""
_DAY_MS: Final = 86_400_000.0
_PRIOR_RATINGS: Final = 5.0
_MOST_BYTES: Final = 128_000_000
_MOST_SNAPSHOTS: Final = 2_000


class Trends:
    """Snapshots at even steps of the event count, so that any moment finds one at most a step old.

    Args:
        rows: int64 (e,), item numbers.
        signals: int64 (e,), of `signal_of`.
        times_ms: int64 (e,), in any order.
        items: known items.

    Attributes:
        moments_ms: int64 (s,), ascending; a snapshot holds the events earlier than its moment.
        values: float32 (s, items, TRENDS).
    """

    def __init__(self, rows: Integers, signals: Integers, times_ms: Integers, items: int) -> None:
        order = np.argsort(times_ms, kind="stable")
        rows, signals, times_ms = rows[order], signals[order], times_ms[order]
        most = int(min(_MOST_SNAPSHOTS, max(2, _MOST_BYTES // (4 * TRENDS * items)), len(rows)))
        edges = np.unique(
            np.searchsorted(times_ms, times_ms[np.linspace(0, len(rows) - 1, most).astype(np.int64)])
        )
        self.moments_ms: Integers = np.append(times_ms[edges], times_ms[-1] + 1)
        ends = np.append(edges, len(rows))
        self.values: Matrix = np.zeros((len(ends), items, TRENDS), np.float32)
        fold = _Fold(items)
        start = 0
        for number, (end, moment) in enumerate(zip(ends.tolist(), self.moments_ms.tolist(), strict=True)):
            fold.add(rows[start:end], signals[start:end], times_ms[start:end], moment)
            self.values[number] = fold.values()
            start = end

    def as_of(self, times_ms: Integers) -> Integers:
        """Return the number of the newest snapshot that is not later than each time; the oldest is empty."""
        return np.maximum(np.searchsorted(self.moments_ms, times_ms, side="right") - 1, 0)

    @property
    def newest(self) -> Matrix:
        """Return float32 (items, TRENDS), after the last event."""
        newest: Matrix = self.values[-1]
        return newest


class _Fold:
    def __init__(self, items: int) -> None:
        self._counts = np.zeros((len(HALF_LIVES_DAYS), items))
        self._rated: npt.NDArray[np.float64] = np.zeros((2, items))
        self._moment_ms: int | None = None

    def add(self, rows: Integers, signals: Integers, times_ms: Integers, moment_ms: int) -> None:
        items = self._counts.shape[1]
        passed = moment_ms - (self._moment_ms if self._moment_ms is not None else moment_ms)
        self._moment_ms = moment_ms
        for place, half_life in enumerate(HALF_LIVES_DAYS):
            self._counts[place] *= 0.5 ** (passed / (half_life * _DAY_MS))
            weights = 0.5 ** ((moment_ms - times_ms) / (half_life * _DAY_MS))
            self._counts[place] += np.bincount(rows, weights, minlength=items)
        rated = signals < RATING_BUCKETS
        stars = signals[rated] / (RATING_BUCKETS - 1) - 0.5
        self._rated += (
            np.bincount(rows[rated], stars, minlength=items),
            np.bincount(rows[rated], minlength=items),
        )

    def values(self) -> Matrix:
        mean = self._rated[0] / (self._rated[1] + _PRIOR_RATINGS)
        return np.column_stack([*np.log1p(self._counts), mean]).astype(np.float32)
