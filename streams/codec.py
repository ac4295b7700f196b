"""Bytes to messages and back. JSON on public topics, msgpack on internal ones."""

from collections.abc import Sequence

import msgspec

from streams.contracts import (
    ActionBatch,
    Answer,
    Erasure,
    Event,
    EventFields,
    EventType,
    Item,
    ItemTrend,
    ItemVector,
    ModelAlias,
    ModelVersion,
    RankingQuery,
    RankingRequest,
    Receipt,
    Recommendation,
    Record,
    Rejected,
    StandingSlate,
    TrainingExample,
    UserState,
    UserVector,
)
from streams.contracts.users import END, RATING, ROW, TOPICS, TYPES

SCHEMA_VERSION = 1
"""Of every message; an incompatible change is a new topic."""

_RATING_CODE = EventType.RATING.code

encode_json = msgspec.json.Encoder().encode
encode_msgpack = msgspec.msgpack.Encoder().encode

decode_event = msgspec.json.Decoder(Event).decode
decode_event_fields = msgspec.json.Decoder(EventFields).decode
decode_item = msgspec.json.Decoder(Item).decode
decode_recommendation = msgspec.json.Decoder(Recommendation).decode
decode_standing_slate = msgspec.json.Decoder(StandingSlate).decode
decode_model_version = msgspec.json.Decoder(ModelVersion).decode
decode_model_alias = msgspec.json.Decoder(ModelAlias).decode
decode_erasure = msgspec.json.Decoder(Erasure).decode
decode_receipt = msgspec.json.Decoder(Receipt).decode
decode_ranking_request = msgspec.json.Decoder(RankingRequest).decode
decode_answer = msgspec.json.Decoder(Answer).decode

decode_item_vector = msgspec.msgpack.Decoder(ItemVector).decode
_decode_user_state = msgspec.msgpack.Decoder(UserState).decode
decode_user_vector = msgspec.msgpack.Decoder(UserVector).decode
decode_action_batch = msgspec.msgpack.Decoder(ActionBatch).decode
decode_training_example = msgspec.msgpack.Decoder(TrainingExample).decode
decode_ranking_query = msgspec.msgpack.Decoder(RankingQuery).decode
decode_item_trend = msgspec.msgpack.Decoder(ItemTrend).decode


_ACTIONS = b"\x92" + encode_msgpack(SCHEMA_VERSION) + b"\xdc"
"""A list of two: the version and another list, of as many as the next two bytes say."""


def encode_action_batch(actions: Sequence[bytes]) -> bytes:
    """Return an `ActionBatch` of less than 65,536 actions, which are encoded already."""
    return b"".join((_ACTIONS, len(actions).to_bytes(2), *actions))


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoders raise, whatever the bytes are."""


def unreadable(record: Record, error: Exception) -> Rejected:
    """Return the record, rejected for what a decoder raised: `invalid` has another form, `malformed` has none."""
    return Rejected(record, "invalid" if isinstance(error, msgspec.ValidationError) else "malformed", str(error))


def decode_user_state(value: bytes) -> UserState:
    """Return the state in a `user.state.v1` record, its columns checked against each other.

    Raises:
        msgspec.DecodeError: the bytes are no state.
    """
    try:
        state = _decode_user_state(value)
        if not _fits(state):
            raise ValueError("the columns do not fit each other")
        (state.item_column + state.seen_column).replace(END, b"").decode()
    except ValueError as error:  # a UnicodeDecodeError is one
        raise msgspec.ValidationError(str(error)) from None
    return state


def _fits(state: UserState) -> bool:
    types = state.row_column[TYPES]
    return (
        len(state.row_column) == len(types) * ROW.size
        and len(state.rating_column) == types.count(_RATING_CODE) * RATING.size
        and state.item_column.count(END) == len(types)
        and state.seen_column.count(END) == state.seen_entries
        and state.item_column[-1:] in (b"", END)
        and state.seen_column[-1:] in (b"", END)
        and 0 <= state.topic < len(TOPICS)
        and max(types, default=0) < len(EventType)
    )
