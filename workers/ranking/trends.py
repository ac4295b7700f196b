"""What is done with items lately, from `item.trends.v1`: which of them rise, and how often each was taken."""

import numpy as np
import numpy.typing as npt

from streams.clock import Clock, monotonic_seconds
from streams.contracts import EventType, ItemTrend
from streams.contracts.events import RETRACTIONS
from streams.contracts.learning import TREND_HOURS
from workers.ranking.catalogue import Catalogue, Rows

Counts = npt.NDArray[np.float64]
_SILENT = {EventType.IMPRESSION, EventType.SEARCH, EventType.DISLIKE} | RETRACTIONS
_COUNTED = frozenset(code for code, kind in enumerate(EventType) if kind not in _SILENT)
_HOUR, _DAY, _WEEK = range(len(TREND_HOURS))
_FIRST_CAPACITY = 1_024
_END = -1
"""Ends a chain of slots."""
_RANK_SECONDS = 1.0
_HOUR_MS = 3_600_000
_WEEK_DAYS = 7


class Trends:
    """Decayed counts of every item that has any, by the stream time of the newest of them.

    Each partition of the topic says what its users did with an item. That stands in slots of arrays, those of one
    item in a chain, and is added up when it is asked for. Empty, and asked for nothing, when no feedback worker
    runs.

    Args:
        clock: seconds that only grow; the ranking is made anew at most once a second.
    """

    def __init__(self, clock: Clock = monotonic_seconds) -> None:
        self._clock = clock
        self._first_slots: dict[str, int] = {}
        self._ids: list[str] = []
        self._slots = 0
        self._counts: Counts = np.zeros((_FIRST_CAPACITY, len(TREND_HOURS)))
        self._times_ms = np.zeros(_FIRST_CAPACITY, np.int64)
        self._partitions = np.zeros(_FIRST_CAPACITY, np.int32)
        self._next_slots = np.zeros(_FIRST_CAPACITY, np.int32)
        self._rising: tuple[float, tuple[int, int], Rows] | None = None
        self._applied = 0
        self._newest_ms = 0
        self._slot_of_row: Rows = np.zeros(0, np.int64)
        self._mapped_items = 0

    def __len__(self) -> int:
        """Return the items that are held."""
        return len(self._ids)

    def put(self, partition: int, item_id: str, trend: ItemTrend | None) -> None:
        """Set the trend of an item among the users of a partition; None: nothing is known of it any more."""
        slot = self._slot(partition, item_id)
        self._applied += 1
        self._counts[slot] = 0.0
        if trend is not None:
            self._times_ms[slot] = trend.time_ms
            self._newest_ms = max(self._newest_ms, trend.time_ms)
            for kind, counts in trend.counts.items():
                if kind in _COUNTED:
                    self._counts[slot] += counts

    def rising(self, catalogue: Catalogue) -> Rows:
        """Return rows of the catalogue, the most risen first, int64; only those above their own pace.

        The pace of the last day (the last hour counts twice) over the daily pace of the week, in standard
        deviations of a count that is as large as the week's.
        """
        now, known = self._clock(), (self._applied, len(catalogue))
        if self._rising is not None:
            made_at, made_of, rows = self._rising
            if made_of == known or now - made_at < _RANK_SECONDS:
                return rows
        counts = self._decayed(np.fromiter(self._first_slots.values(), np.int64))
        week = counts[:, _WEEK] / _WEEK_DAYS
        risen = (counts[:, _DAY] + counts[:, _HOUR] - week) / np.sqrt(week + 1)
        items = np.flatnonzero(risen > 0)
        items = items[np.argsort(-risen[items], kind="stable")]
        rows = catalogue.rows(self._ids[item] for item in items.tolist())
        self._rising = (now, known, rows)
        return rows

    def weekly(self, catalogue: Catalogue, rows: Rows) -> npt.NDArray[np.float32]:
        """Return how often each row was taken lately, with a memory of a week, float32 (len(rows),)."""
        found = np.zeros(len(rows), np.float32)
        if not self._ids:
            return found
        slots = self._slots_of(catalogue)[rows]
        known = slots >= 0
        found[known] = self._decayed(slots[known])[:, _WEEK]
        return found

    def _slots_of(self, catalogue: Catalogue) -> Rows:
        """Return the first slot of every row of the one catalogue, or -1; looks up what is new."""
        rows = len(self._slot_of_row)
        if rows < len(catalogue):
            ids = (catalogue.item_id(row) for row in range(rows, len(catalogue)))
            more = np.fromiter((self._first_slots.get(item_id, -1) for item_id in ids), np.int64)
            self._slot_of_row = np.concatenate([self._slot_of_row, more])
        for item_id in self._ids[self._mapped_items :]:
            if (row := catalogue.row(item_id)) is not None:
                self._slot_of_row[row] = self._first_slots[item_id]
        self._mapped_items = len(self._ids)
        return self._slot_of_row

    def _decayed(self, firsts: Rows) -> Counts:
        """Return the counts now of the items with these first slots, float64 (len(firsts), windows)."""
        found: Counts = np.zeros((len(firsts), len(TREND_HOURS)))
        items, slots = np.arange(len(firsts)), firsts
        while len(items):
            age_hours = (self._newest_ms - self._times_ms[slots]) / _HOUR_MS
            found[items] += self._counts[slots] * np.exp(-age_hours[:, None] / np.asarray(TREND_HOURS))
            after = self._next_slots[slots]
            items, slots = items[after != _END], after[after != _END]
        return found

    def _slot(self, partition: int, item_id: str) -> int:
        """Return where a partition's counts of an item stand, from now on."""
        slot = self._first_slots.setdefault(item_id, self._slots)
        if slot == self._slots:
            self._ids.append(item_id)
        while slot != self._slots:
            if self._partitions[slot] == partition:
                return slot
            if self._next_slots[slot] == _END:
                self._next_slots[slot] = self._slots
            slot = int(self._next_slots[slot])
        self._slots += 1
        for name in ("_counts", "_times_ms", "_partitions", "_next_slots"):
            column = getattr(self, name)
            if slot == len(column):
                setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
        self._partitions[slot], self._next_slots[slot] = partition, _END
        return slot
