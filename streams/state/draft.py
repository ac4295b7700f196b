"""A user's state while it is being changed: the layout of `UserState`, with columns that can grow."""

from typing import Self

import msgspec

from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import UserState


class Draft(msgspec.Struct, array_like=True, gc=False):
    """The same fields in the same order as `UserState`, so that both have one form on the wire."""

    schema_version: int
    user_id: str
    item_column: bytearray
    row_column: bytearray
    rating_column: bytes
    seen_column: bytearray
    seen_entries: int
    recent_column: bytearray
    event_count: int
    last_event_time_ms: int
    second_event_time_ms: int
    session_count: int
    last_session: int
    last_query: str | None
    last_query_time_ms: int
    caused_by: list[str]
    partition: int
    topic: int
    create_time_ms: int
    applied: list[int]
    last_context: str | None = None
    last_context_time_ms: int = -1

    @classmethod
    def of_nothing(cls, user_id: str, partition: int) -> Self:
        """Return the state of a user of whom nothing is known."""
        items, rows, seen, recent = bytearray(), bytearray(), bytearray(), bytearray()
        return cls(
            SCHEMA_VERSION, user_id, items, rows, b"", seen, 0, recent,
            0, -1, -1, 0, 0, None, -1, [], partition, 0, 0, [-1, -1],
        )  # fmt: skip

    @classmethod
    def of(cls, state: UserState) -> "Draft":
        """Return a copy of `state` that can be changed."""
        return thaw(encode_msgpack(state))

    def frozen(self) -> UserState:
        """Return what this draft says now."""
        return _freeze(encode_msgpack(self))


def packed(draft: Draft) -> bytes:
    """Return the value of a `user.state.v1` record.

    It is copied out of one buffer: what the encoder returns was cut from a larger block, and the rest of the block
    is too small for anything else. That was a quarter of what a user took in memory.
    """
    _encode_into(draft, _buffer)
    return bytes(_buffer)


thaw = msgspec.msgpack.Decoder(Draft).decode
"""Return the draft in the bytes of a `user.state.v1` record."""

_freeze = msgspec.msgpack.Decoder(UserState).decode

_encode_into = msgspec.msgpack.Encoder().encode_into
_buffer = bytearray()
"""For the one thread of a process that folds."""
