"""Bytes to messages and back. JSON on public topics, msgpack on internal ones."""

import msgspec

from streams.contracts import (
    Event,
    Item,
    ItemActivity,
    ItemTrend,
    ItemVector,
    ModelAlias,
    ModelVersion,
    Recommendation,
    TrainingExample,
    UserAction,
    UserState,
    UserVector,
)

SCHEMA_VERSION = 1
"""Of every message; an incompatible change is a new topic."""

encode_json = msgspec.json.Encoder().encode
encode_msgpack = msgspec.msgpack.Encoder().encode

decode_event = msgspec.json.Decoder(Event).decode
decode_item = msgspec.json.Decoder(Item).decode
decode_recommendation = msgspec.json.Decoder(Recommendation).decode
decode_model_version = msgspec.json.Decoder(ModelVersion).decode
decode_model_alias = msgspec.json.Decoder(ModelAlias).decode

decode_item_vector = msgspec.msgpack.Decoder(ItemVector).decode
decode_user_state = msgspec.msgpack.Decoder(UserState).decode
decode_user_vector = msgspec.msgpack.Decoder(UserVector).decode
decode_user_action = msgspec.msgpack.Decoder(UserAction).decode
decode_item_activity = msgspec.msgpack.Decoder(ItemActivity).decode
decode_training_example = msgspec.msgpack.Decoder(TrainingExample).decode
decode_item_trend = msgspec.msgpack.Decoder(ItemTrend).decode
