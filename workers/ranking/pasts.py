"""What users did, as columns over all of them; read from the packed columns of their states, not row by row."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import EventType, Interaction, UserState
from streams.contracts.events import RETRACTIONS
from streams.contracts.users import END
from workers.ranking.catalogue import Catalogue, Mask, Rows

_RATING = EventType.RATING.code
ROW = np.dtype([("low", "<u4"), ("high", "<u2"), ("session", "<u2"), ("type", "u1")])
"""`streams.contracts.users.ROW`."""
_RETRACTIONS = np.array(sorted(kind.code for kind in RETRACTIONS))


class Pasts(NamedTuple):
    """The interactions of users with known items, user after user, each user's by time.

    Attributes:
        owners: int64 (e,), number of the user.
        rows: int64 (e,), of the catalogue.
        types: int64 (e,), `EventType.code`.
        times_ms: int64 (e,), event times, milliseconds since the epoch.
        values: float64 (e,), the rating, NaN where there is none.
    """

    owners: Rows
    rows: Rows
    types: Rows
    times_ms: Rows
    values: npt.NDArray[np.float64]

    def keep(self, mask: Mask) -> "Pasts":
        """Return those where `mask`, bool (e,), is true."""
        return Pasts(self.owners[mask], self.rows[mask], self.types[mask], self.times_ms[mask], self.values[mask])

    def of(self, kind: EventType) -> tuple[Rows, Rows]:
        """Return owners and rows of the interactions of one type."""
        mask = self.types == kind.code
        return self.owners[mask], self.rows[mask]

    def standing(self) -> "Pasts":
        """Return those that a model reads: decisions that were taken back are none."""
        return self.keep(~np.isin(self.types, _RETRACTIONS))


def of_states(states: Sequence[UserState], catalogue: Catalogue) -> Pasts:
    """Return everything in the histories of the states, retractions too."""
    counts, rows = _rows((state.item_column for state in states), catalogue)
    past = np.frombuffer(b"".join(state.row_column for state in states), ROW)
    types, times_ms = past["type"].astype(np.int64), past["low"] | past["high"].astype(np.int64) << 32
    values = np.full(len(rows), np.nan)
    values[types == _RATING] = np.frombuffer(b"".join(state.rating_column for state in states), np.dtype("<f8"))
    return Pasts(np.repeat(np.arange(len(counts)), counts), rows, types, times_ms, values).keep(rows >= 0)


def of_histories(histories: Sequence[Sequence[Interaction]], catalogue: Catalogue) -> Pasts:
    """Return the interactions of these histories."""
    pasts = [past for history in histories for past in history]
    rows = catalogue.rows_or_minus_one([past.item_id for past in pasts])
    return Pasts(
        np.repeat(np.arange(len(histories)), list(map(len, histories))),
        rows,
        np.fromiter((past.event_type for past in pasts), np.int64, len(pasts)),
        np.fromiter((past.event_time_ms for past in pasts), np.int64, len(pasts)),
        np.fromiter((np.nan if past.value is None else past.value for past in pasts), np.float64, len(pasts)),
    ).keep(rows >= 0)


def seen_of(states: Sequence[UserState], catalogue: Catalogue) -> tuple[Rows, Rows]:
    """Return owners and rows of the items that fell out of the histories, as often as they stand there."""
    counts, rows = _rows((state.seen_column for state in states), catalogue)
    known = rows >= 0
    return np.repeat(np.arange(len(counts)), counts)[known], rows[known]


def _rows(columns: Iterable[bytes], catalogue: Catalogue) -> tuple[list[int], Rows]:
    """Return how many ids each column holds, and the row of each, -1 for an item that was never seen."""
    items: list[bytes] = []
    counts = []
    for column in columns:
        ids = column.split(END)
        ids.pop()
        items += ids
        counts.append(len(ids))
    return counts, catalogue.rows_or_minus_one([item.decode() for item in items])
