"""The data set as training reads it: one flat array of events, one user after the other."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from streams.clock import to_ms
from streams.contracts import Event, EventType
from streams.settings.state import RatingScale
from workers.ranking.model.histories import EventColumns
from workers.ranking.model.signals import EVENT_TYPES, Integers, belongs_to_history, signal_of

_TYPE_NUMBERS = {event_type: number for number, event_type in enumerate(EVENT_TYPES)}


class Sequences(NamedTuple):
    """Events of all users.

    Attributes:
        events: int64 columns of e events, by user, then by time.
        starts: int64 (e,), where the user of each event begins.
        is_first: bool (e,), false where this user acted on this item before.
    """

    events: EventColumns
    starts: Integers
    is_first: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, users: Integers, rows: Integers, signals: Integers, times_ms: Integers) -> Self:
        """Return the sequences of e events given in any order; equal times keep their order."""
        order = np.lexsort((times_ms, users))
        users, rows = users[order], rows[order]
        starts = np.searchsorted(users, users, side="left")
        is_first = np.zeros(len(users), dtype=np.bool_)
        pairs = users * (rows.max(initial=0) + 1) + rows
        is_first[np.unique(pairs, return_index=True)[1]] = True
        return cls(EventColumns(rows, signals[order], times_ms[order]), starts, is_first)

    def before(self, moment_ms: int) -> Self:
        """Return the events earlier than `moment_ms`, milliseconds since the epoch."""
        kept = self.events.times_ms < moment_ms
        users = self.starts[kept]  # an old start names its user as well as any number
        events = EventColumns(*(column[kept] for column in self.events))
        return type(self)(events, np.searchsorted(users, users, side="left"), self.is_first[kept])

    def reordered(self, draws: np.random.Generator) -> Self:
        """Return the events with those of one user and one moment in a drawn order.

        What has the same time has no order, and a model should not learn one: in MovieLens-100K every second
        event has the time of the one before it.
        """
        rows, signals, times_ms = self.events
        order = np.lexsort((draws.permutation(len(rows)), times_ms, self.starts))
        return type(self).of(self.starts, rows[order], signals[order], times_ms[order])

    def sha256(self) -> str:
        """Return 64 hexadecimal digits; equal for equal sequences."""
        digest = hashlib.sha256()
        for column in (*self.events, self.starts):
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()


def read_events(
    events: Iterable[Event], item_ids: Sequence[str], scale: RatingScale
) -> tuple[Sequences, dict[str, int]]:
    """Return what can be learned from `events`, and how many could not be used, by reason.

    Args:
        events: in replay order.
        item_ids: the catalogue; rows count in its order.
        scale: of rating events; a value outside it is ignored, as the state worker rejects it.
    """
    item_rows = {item_id: row for row, item_id in enumerate(item_ids)}
    ignored = {"no_action": 0, "unknown_item": 0, "rating_outside_scale": 0, "repeated": 0}
    user_numbers: dict[str, int] = {}
    seen_ids: set[str] = set()
    columns = array("q")  # 32 bytes an event; tuples of Python's numbers take five times that
    for event in events:
        if reason := _unusable(event, item_rows, scale, seen_ids):
            ignored[reason] += 1
            continue
        seen_ids.add(event.event_id)
        columns.extend(
            (
                user_numbers.setdefault(event.user_id, len(user_numbers)),
                item_rows[event.item_id or ""],
                signal_of(_TYPE_NUMBERS[event.event_type], event.value, scale.low, scale.high),
                to_ms(event.event_time),
            )
        )
    return Sequences.of(*np.frombuffer(columns, dtype=np.int64).reshape(-1, 4).T), ignored


def _unusable(event: Event, item_rows: dict[str, int], scale: RatingScale, seen_ids: set[str]) -> str | None:
    if not belongs_to_history(event.event_type):
        return "no_action"
    if event.item_id not in item_rows:
        return "unknown_item"
    if event.event_type is EventType.RATING and not scale.low <= (event.value or 0.0) <= scale.high:
        return "rating_outside_scale"
    return "repeated" if event.event_id in seen_ids else None
