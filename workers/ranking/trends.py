"""What is done with items lately, from `item.trends.v1`: which of them rise, and how often each was taken."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.clock import Clock, monotonic_seconds
from streams.contracts import EventType, ItemTrend
from streams.contracts.events import RETRACTIONS
from streams.contracts.learning import TREND_HOURS, TrendCounts
from workers.ranking.catalogue import Catalogue, Rows
from workers.ranking.local_trends import Local, LocalCounts, Place
from workers.ranking.rise import WEEK, Counts, aged, rise_of

_SILENT = {EventType.IMPRESSION, EventType.SEARCH, EventType.DISLIKE} | RETRACTIONS
_COUNTED = frozenset(code for code, kind in enumerate(EventType) if kind not in _SILENT)
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
_LOCAL_SECONDS = 10.0
"""Of a context, of which there may be many: it takes 38 ms where 100,000 items have counts from two partitions."""


class _Ranked(NamedTuple):
    """What was made of the counts.

    Attributes:
        made_at: by the clock.
        made_of: how many trends were put, and how many items the catalogue had.
        rows: int64, the most risen first.
        total: how often anything was taken lately, with a memory of a week.
    """

    made_at: float
    made_of: tuple[int, int]
    rows: Rows
    total: float


class Trends:
    """Decayed counts of every item that has any, in all and by context, by the stream time of the newest of them.

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
        self._ranked: _Ranked | None = None
        self._contexts: dict[str, LocalCounts] = {}
        self._contexts_of: dict[Place, frozenset[str]] = {}
        self._locals: dict[str, tuple[float, tuple[int, int], Local | None]] = {}
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
        if trend is None:
            self._slots["counts"][slot] = 0.0
        else:
            self._slots["time_ms"][slot] = trend.time_ms
            self._newest_ms = max(self._newest_ms, trend.time_ms)
            self._slots["counts"][slot] = _taken(trend.counts)
        self._put_contexts((partition, item_id), trend)

    def rising(self, catalogue: Catalogue) -> Rows:
        """Return rows of the catalogue, the most risen first, int64; only those above their own pace."""
        return self._ranking(catalogue).rows

    def total(self, catalogue: Catalogue) -> float:
        """Return how often anything was taken lately, with a memory of a week."""
        return self._ranking(catalogue).total

    def local(self, context: str, catalogue: Catalogue) -> Local | None:
        """Return what is done lately in a context, or None where nothing is known of it.

        It is made anew at most every ten seconds.
        """
        counts = self._contexts.get(context)
        if counts is None:
            return None
        now, made_of = self._clock(), (self._applied, len(catalogue))
        before = self._locals.get(context)
        if before is not None and (before[1] == made_of or now - before[0] < _LOCAL_SECONDS):
            return before[2]
        local = counts.local(context, catalogue, self._newest_ms)
        self._locals[context] = (now, made_of, local)
        return local

    def weekly(self, catalogue: Catalogue, rows: Rows) -> npt.NDArray[np.float32]:
        """Return how often each row was taken lately, with a memory of a week, float32 (len(rows),)."""
        found = np.zeros(len(rows), np.float32)
        if not self._ids:
            return found
        slots = self._slots_of(catalogue)[rows]
        known = slots >= 0
        found[known] = self._decayed(slots[known])[:, WEEK]
        return found

    def _put_contexts(self, place: Place, trend: ItemTrend | None) -> None:
        told = {} if trend is None else trend.contexts
        for context in self._contexts_of.pop(place, frozenset()) - told.keys():
            counts = self._contexts[context]
            counts.drop(place)
            if not len(counts):
                del self._contexts[context]
                self._locals.pop(context, None)
        if trend is None or not told:
            return
        self._contexts_of[place] = frozenset(told)
        for context, counts_there in told.items():
            self._contexts.setdefault(context, LocalCounts()).put(place, trend.time_ms, _taken(counts_there))

    def _ranking(self, catalogue: Catalogue) -> _Ranked:
        now, made_of = self._clock(), (self._applied, len(catalogue))
        before = self._ranked
        if before is not None and (before.made_of == made_of or now - before.made_at < _RANK_SECONDS):
            return before
        counts = self._decayed(np.fromiter(self._first_slots.values(), np.int64))
        rise = rise_of(counts)
        items = np.flatnonzero(rise > 0)
        items = items[np.argsort(-rise[items], kind="stable")]
        rows = catalogue.rows(self._ids[item] for item in items.tolist())
        self._ranked = _Ranked(now, made_of, rows, float(counts[:, WEEK].sum()))
        return self._ranked

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
            found[items] += aged(said["counts"], self._newest_ms - said["time_ms"])
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


def _taken(counts: TrendCounts) -> npt.NDArray[np.float64]:
    """Return how often something was taken up, float64 (windows,)."""
    found = np.zeros(len(TREND_HOURS))
    for kind, of_kind in counts.items():
        if kind in _COUNTED:
            found += of_kind
    return found
