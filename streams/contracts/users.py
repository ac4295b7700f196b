"""What is known of a user: `user.state.v1` and `user.vectors.v1` (msgpack, keyed by `user_id`)."""

import msgspec

from streams.contracts.recommendations import Source


class Interaction(msgspec.Struct, frozen=True, array_like=True):
    """One accepted event of a user's history.

    Attributes:
        event_time_ms: milliseconds since the epoch.
        event_type: `EventType` as its position in that enumeration, one byte on the wire.
        value: the rating, where the event had one.
        event_hash: the first 8 bytes of BLAKE2b of the event id, signed; finds repeated events.
    """

    item_id: str
    event_time_ms: int
    event_type: int
    value: float | None
    event_hash: int


class UserState(msgspec.Struct, frozen=True, array_like=True):
    """The fold of one user's events; a null record means that the user was erased.

    Attributes:
        history: at most `state.history_length` interactions, oldest first by event time.
        seen: items that fell out of `history`, oldest first, at most `state.seen_length`.
        event_count: accepted events of every type.
        last_event_time_ms: the largest event time of the user, milliseconds since the epoch.
        last_query: the words of the newest search, or None.
        caused_by: ids of the events that made this version out of the one before.
        source: the newest record that was folded in.
        applied: topic -> largest offset of this partition that was folded in for the user.
    """

    schema_version: int
    user_id: str
    history: tuple[Interaction, ...]
    seen: tuple[str, ...]
    event_count: int
    last_event_time_ms: int
    last_query: str | None
    caused_by: tuple[str, ...]
    source: Source
    applied: dict[str, int]


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
