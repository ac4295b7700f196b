"""What is known of a user: `user.state.v1` and `user.vectors.v1` (msgpack, keyed by `user_id`)."""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import msgspec

from streams.contracts.events import RETRACTIONS, EventType
from streams.contracts.recommendations import Source
from streams.topics import CLICKSTREAM, REKEYED

END = b"\xff"
"""Ends every item id of a packed column: a byte that UTF-8 never contains."""

ROW = Struct("<IHHB")
"""Of an interaction: event time (milliseconds since the epoch; the lower 32 bits, then the upper 16), mark of the
session, `EventType.code`."""
pack_row = Struct("<QB").pack
"""Packs a `ROW` of `time_ms | mark << 48` and the code: the same bytes."""
TYPES = slice(ROW.size - 1, None, ROW.size)
"""Cuts the codes out of a column of rows."""
RATING = Struct("<d")
HASH_BYTES = 6
"""Of an event id's xxh3_64 in `recent_column`: beside 64 of them one event in 4·10¹² is taken for a repeat."""
TOPICS = (CLICKSTREAM, REKEYED)
"""The topics that events come from; `UserState` names them by their position."""

_TYPES = tuple(EventType)
_RETRACTIONS = frozenset(kind.code for kind in RETRACTIONS)
_RATING = EventType.RATING.code


def row_of(time_ms: int, mark: int, code: int) -> bytes:
    """Return a `ROW`.

    Args:
        time_ms: milliseconds since the epoch, 0 to 2**48 - 1.
    """
    return pack_row(time_ms | mark << 48, code)


class Interaction(NamedTuple):
    """One accepted event of a user's history.

    Attributes:
        event_time_ms: milliseconds since the epoch.
        event_type: `EventType.code`.
        value: the rating, of a `rating` event.
        session: a mark of the session id, equal for equal ids; 0 where the event had none.
    """

    item_id: str
    event_time_ms: int
    event_type: int
    value: float | None
    session: int


class UserState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fold of one user's events; a null record means that the user was erased.

    The history is kept in packed columns, oldest first by event time: a state is read, changed and written for
    nearly every event, and 50 strings and numbers as objects cost ten times as much (ADR 5).

    Attributes:
        item_column: the items of the history, each id in UTF-8 followed by `END`.
        row_column: the rest of each, a `ROW`.
        rating_column: `RATING` for each `rating` event among them.
        seen_column: items that fell out of the history, oldest first, as `item_column`; may repeat itself.
        seen_entries: ids in `seen_column`.
        recent_column: `HASH_BYTES` for each of the newest accepted events, in order of arrival; tells repeats.
        event_count: accepted events of every type.
        last_event_time_ms: the largest event time of the user, milliseconds since the epoch.
        second_event_time_ms: the second largest; -1 after one event.
        session_count: sessions that were begun; a late event begins none.
        last_session: session mark of the event at `last_event_time_ms`.
        last_query: the words of the newest search by event time, or None.
        last_query_time_ms: when that was; -1 for never.
        caused_by: ids of the events that made this version out of the one before.
        partition: of the newest record that was folded in, and of this one.
        topic: of the newest record that was folded in, as a position in `TOPICS`.
        create_time_ms: CreateTime of that record.
        applied: for each of `TOPICS`, the largest offset folded in for the user; -1 for none.
        last_context: what the newest event that told it, by event time, had in the field `state.trend_context` of
            its `context`; None for never, or where there is no such setting.
        last_context_time_ms: when that was; -1 for never.
    """

    schema_version: int
    user_id: str
    item_column: bytes
    row_column: bytes
    rating_column: bytes
    seen_column: bytes
    seen_entries: int
    recent_column: bytes
    event_count: int
    last_event_time_ms: int
    second_event_time_ms: int
    session_count: int
    last_session: int
    last_query: str | None
    last_query_time_ms: int
    caused_by: tuple[str, ...]
    partition: int
    topic: int
    create_time_ms: int
    applied: tuple[int, int]
    last_context: str | None = None
    last_context_time_ms: int = -1

    @property
    def history(self) -> tuple[Interaction, ...]:
        """Return the interactions that stand, oldest first; decisions that were taken back are none."""
        return tuple(past for past in self._entries() if past.event_type not in _RETRACTIONS)

    @property
    def seen(self) -> tuple[str, ...]:
        """Return each item that the user acted on and that is not in `history`, oldest first."""
        older = [item.decode() for item in self.seen_column.split(END)[:-1]]
        retracted = [past.item_id for past in self._entries() if past.event_type in _RETRACTIONS]
        standing = {past.item_id for past in self.history}
        newest_first = dict.fromkeys(reversed(older + retracted))
        return tuple(item for item in reversed(newest_first) if item not in standing)

    @property
    def source(self) -> Source:
        """Return the newest record that was folded in."""
        return Source(
            topic=TOPICS[self.topic],
            partition=self.partition,
            offset=self.applied[self.topic],
            create_time_ms=self.create_time_ms,
        )

    def _entries(self) -> Iterator[Interaction]:
        """Yield the rows of the columns."""
        ratings = RATING.iter_unpack(self.rating_column)
        items = self.item_column.split(END)[:-1]
        for item, (low, high, mark, kind) in zip(items, ROW.iter_unpack(self.row_column), strict=True):
            value = next(ratings)[0] if kind == _RATING else None
            yield Interaction(item.decode(), low | high << 32, kind, value, mark)


class UserVector(msgspec.Struct, frozen=True, array_like=True):
    """A user's history as one model sees it; read by every ranking worker for look-alike users.

    Attributes:
        vector: float32 little-endian, unit length, the model's width.
        liked: the user's newest items that speak for their taste, newest first.
    """

    schema_version: int
    user_id: str
    model_version: str
    vector: bytes
    liked: tuple[str, ...]
