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
_SLOT = np.dtype(
    [
        ("counts", np.float64, (len(TREND_HOURS),)),
        ("time_ms", np.int64),
        ("partition", np.int32),
        ("next", np.int32),
    ]
)
"""What one partition says of an item, and where what another says of it stands."""
_RANK_SECONDS = 1.0
_HOUR_MS = 3_600_000
_WEEK_DAYS = 7


class Trends:
    """Decayed counts of every item that has any, by the stream time of the newest of them.

    Each partition of the topic says what its users did with an item. That stands in slots of an array, those of
    one item in a chain, and is added up when it is asked for. Empty, and asked for nothing, when no feedback
    worker runs.

    Args:
        clock: seconds that only grow; the ranking is made anew at most once a second.
    """

    def __init__(self, clock: Clock = monotonic_seconds) -> None:
        self._clock = clock
        self._first_slots: dict[str, int] = {}
        self._ids: list[str] = []
        self._used = 0
        self._slots = np.zeros(_FIRST_CAPACITY, _SLOT)
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
        counts = self._slots["counts"][slot]
        counts[:] = 0.0
        if trend is not None:
            self._slots["time_ms"][slot] = trend.time_ms
            self._newest_ms = max(self._newest_ms, trend.time_ms)
            for kind, of_kind in trend.counts.items():
                if kind in _COUNTED:
                    counts += of_kind

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
            said = self._slots[slots]
            age_hours = (self._newest_ms - said["time_ms"]) / _HOUR_MS
            found[items] += said["counts"] * np.exp(-age_hours[:, None] / np.asarray(TREND_HOURS))
            goes_on = said["next"] != _END
            items, slots = items[goes_on], said["next"][goes_on]
        return found

    def _slot(self, partition: int, item_id: str) -> int:
        """Return where a partition's counts of an item stand, from now on."""
        slot = self._first_slots.setdefault(item_id, self._used)
        if slot == self._used:
            self._ids.append(item_id)
        partitions, following = self._slots["partition"], self._slots["next"]
        while slot != self._used:
            if partitions[slot] == partition:
                return slot
            if following[slot] == _END:
                following[slot] = self._used
            slot = int(following[slot])
        if slot == len(self._slots):
            self._slots = np.concatenate([self._slots, np.zeros_like(self._slots)])
        self._slots[slot] = (0.0, 0, partition, _END)
        self._used += 1
        return slot
