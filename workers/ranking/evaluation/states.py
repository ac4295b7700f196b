"""Users as the ranking worker meets them, cut out of a log: the state of anybody after any of their events."""

import numpy as np
from msgspec.structs import replace

from streams.contracts import EventType, UserState
from streams.contracts.users import END, RATING
from streams.settings.state import RatingScale
from streams.state.draft import Draft
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import RATING_BUCKETS
from workers.ranking.pasts import ROW


class States:
    """The states that the events of a log leave behind, in the layout that the state worker gives them.

    The log knows a rating by its fifth of the scale; here it is the middle of that fifth.

    Args:
        item_ids: of the rows of the log.
        history_length: newest events that are a state's history; the items of all older ones are seen.

    Attributes:
        log: as given.
    """

    def __init__(self, log: Sequences, item_ids: tuple[str, ...], scale: RatingScale, history_length: int) -> None:
        rows, signals, times_ms = log.events
        ids = [item_id.encode() + END for item_id in item_ids]
        self._items = b"".join(ids[row] for row in rows.tolist())
        self._item_bounds = np.append(0, np.cumsum(np.array([len(each) for each in ids], np.int64)[rows]))
        rated = signals < RATING_BUCKETS
        packed = np.zeros(len(rows), ROW)
        packed["low"], packed["high"] = times_ms & 0xFFFF_FFFF, times_ms >> 32
        packed["type"] = np.where(rated, EventType.RATING.code, signals - RATING_BUCKETS)
        self._rows = packed.tobytes()
        middles = scale.low + (signals[rated] + 0.5) / RATING_BUCKETS * (scale.high - scale.low)
        self._ratings = middles.astype(np.dtype("<f8")).tobytes()
        self._rating_bounds = np.append(0, np.cumsum(rated)) * RATING.size
        self._times_ms = times_ms
        self._history_length = history_length
        self.log = log

    def after(self, start: int, end: int) -> UserState:
        """Return the state of the user whose events begin at `start`, after those before `end`."""
        oldest = max(start, end - self._history_length)
        items, ratings = self._item_bounds, self._rating_bounds
        return replace(
            Draft.of_nothing(user_of(start), 0).frozen(),
            item_column=self._items[items[oldest] : items[end]],
            row_column=self._rows[oldest * ROW.itemsize : end * ROW.itemsize],
            rating_column=self._ratings[ratings[oldest] : ratings[end]],
            seen_column=self._items[items[start] : items[oldest]],
            seen_entries=oldest - start,
            event_count=end - start,
            last_event_time_ms=int(self._times_ms[end - 1]) if end > start else -1,
        )


def user_of(start: int) -> str:
    """Return the id of the user whose events begin at `start`."""
    return f"user-{start}"
