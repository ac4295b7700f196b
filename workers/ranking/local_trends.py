"""What is done lately in one context, such as a country; see `state.trend_context`."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts.learning import TREND_HOURS
from workers.ranking.catalogue import Catalogue, Mask, Rows
from workers.ranking.id_rows import UNKNOWN
from workers.ranking.rise import WEEK, Counts, aged, rise_of

Often = npt.NDArray[np.float32]
"""How often items are taken."""
Place = tuple[int, str]
"""A partition and an item."""
PRIOR_ACTIONS = 1_000.0
"""A context says as much of what is popular in it as everybody does once so much was done there in a week. So what
one in two hundred take elsewhere yields to what more than five took here."""
_FIRST_CAPACITY = 16
_SLOT = np.dtype([("counts", np.float64, (len(TREND_HOURS),)), ("time_ms", np.int64), ("row", np.int64)])


class Local(NamedTuple):
    """What is known of a context at one moment.

    Attributes:
        context: the field's value.
        rising: int64, the most risen rows first; only those above their own pace there.
        rows: int64 (r,), ascending, what was taken there lately.
        weekly: float32 (r,), how often, with a memory of a week.
        risen: bool (r,), whether it is in `rising`.
    """

    context: str
    rising: Rows
    rows: Rows
    weekly: Often
    risen: Mask

    def rose(self, rows: Rows) -> Mask:
        """Return whether each row is in `rising`, bool (len(rows),)."""
        at = self._at(rows)
        found: Mask = self.risen[at] & (self.rows[at] == rows)
        return found

    def popularity(self, everywhere: Often, rows: Rows, total: float) -> Often:
        """Return how often each row would be taken if everybody were in this context, float32 (len(rows),).

        The shares are the mean of a Dirichlet posterior: those of the week here, beside those of everybody, which
        weigh as much as `PRIOR_ACTIONS` of this context. So a context of which little is known changes little.

        Args:
            everywhere: float32 (len(rows),), how often everybody takes them.
            total: the sum of that over all items.
        """
        at = self._at(rows)
        here = np.where(self.rows[at] == rows, self.weekly[at], np.float32(0))
        done = float(self.weekly.sum())
        found: Often = ((here * total + PRIOR_ACTIONS * everywhere) / (done + PRIOR_ACTIONS)).astype(np.float32)
        return found

    def _at(self, rows: Rows) -> Rows:
        return np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)


class LocalCounts:
    """Decayed counts of items in one context, those of each partition in a slot of their own."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._slot_of: dict[Place, int] = {}
        self._slots = np.zeros(_FIRST_CAPACITY, _SLOT)

    def __len__(self) -> int:
        """Return the slots in use."""
        return len(self._places)

    def put(self, place: Place, time_ms: int, counts: npt.NDArray[np.float64]) -> None:
        """Set what the users of a partition did with an item here, decayed to `time_ms`."""
        slot = self._slot_of.setdefault(place, len(self._places))
        if slot == len(self._places):
            self._places.append(place)
            if slot == len(self._slots):
                self._slots = np.concatenate([self._slots, np.zeros_like(self._slots)])
            self._slots["row"][slot] = UNKNOWN
        self._slots["counts"][slot], self._slots["time_ms"][slot] = counts, time_ms

    def drop(self, place: Place) -> None:
        """Forget what a partition said of an item; its slot goes to the last, so that none stays empty."""
        slot, last = self._slot_of.pop(place), self._places.pop()
        if last != place:
            self._places[slot], self._slot_of[last] = last, slot
            self._slots[slot] = self._slots[len(self._places)]

    def local(self, context: str, catalogue: Catalogue, now_ms: int) -> Local | None:
        """Return what this says at `now_ms`, or None where the one catalogue has none of the items."""
        slots = self._slots[: len(self._places)]
        new = np.flatnonzero(slots["row"] == UNKNOWN)  # a row that was found stays the item's
        slots["row"][new] = catalogue.rows_or_minus_one([self._places[slot][1] for slot in new.tolist()])
        slots = slots[slots["row"] != UNKNOWN]
        if not len(slots):
            return None
        rows, lines = np.unique(slots["row"], return_inverse=True)
        counts: Counts = np.zeros((len(rows), len(TREND_HOURS)))
        np.add.at(counts, lines, aged(slots["counts"], now_ms - slots["time_ms"]))
        rise = rise_of(counts)
        order = np.argsort(-rise, kind="stable")
        rising = rows[order[rise[order] > 0]]
        return Local(context, rising, rows, counts[:, WEEK].astype(np.float32), rise > 0)
