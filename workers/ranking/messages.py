"""From a slate to the records that are published for it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import numpy as np

from streams.clock import from_ms
from streams.codec import SCHEMA_VERSION, encode_json, encode_msgpack
from streams.contracts import (
    EventType,
    Interaction,
    Output,
    Recommendation,
    RecommendedItem,
    UserState,
    UserVector,
)
from streams.contracts.recommendations import recommendation_id
from streams.settings import Settings
from streams.settings.ranking import RankingSettings
from streams.state.fold import TYPE_CODES
from streams.topics import RECOMMENDATIONS, USER_VECTORS
from workers.ranking.candidates import Slate
from workers.ranking.generation import Generation

_NOT_DECISIVE = {
    "publish", "heartbeat_seconds", "deadline_seconds", "standing_per_second", "valid_seconds", "model_name",
    "score_parts",
}  # fmt: skip
_DISLIKE = TYPE_CODES[EventType.DISLIKE]
_RATING = TYPE_CODES[EventType.RATING]


def rules_version(settings: RankingSettings) -> str:
    """Return 12 hexadecimal digits, equal for settings under which equal users get equal slates."""
    decisive = settings.model_dump_json(exclude=_NOT_DECISIVE)
    return blake2b(decisive.encode(), digest_size=6).hexdigest()


def recommendation(
    slate: Slate,
    generation: Generation,
    offsets: tuple[int, ...],
    now: datetime,
    *,
    valid_seconds: float,
    rules: str,
) -> Recommendation:
    """Return the public message of a slate.

    Args:
        offsets: next offset of each partition of the item vector topic.
        now: when the slate was made.
        rules: the `rules_version` in force.
    """
    state, model = slate.query.state, generation.model
    parts: Sequence[dict[str, float] | None] = slate.parts or [None] * len(slate.rows)
    items = tuple(
        RecommendedItem(generation.catalogue[row].item_id, rank, score, why, made_of)
        for rank, (row, score, why, made_of) in enumerate(
            zip(slate.rows.tolist(), slate.scores.tolist(), slate.reasons, parts, strict=True), start=1
        )
    )
    return Recommendation(
        recommendation_id=recommendation_id(
            state.user_id, state.source.partition, state.source.offset, model.version
        ),
        user_id=state.user_id,
        items=items,
        caused_by=state.caused_by,
        source=state.source,
        last_event_time=from_ms(state.last_event_time_ms),
        generated_at=now,
        valid_until=now + timedelta(seconds=valid_seconds),
        model_version=model.version,
        vector_offsets=offsets,
        encoder_id=model.encoder_id,
        rules_version=rules,
        degraded=slate.degraded,
    )


def slate_record(partition: int, message: Recommendation) -> Output:
    """Return the record that publishes a slate."""
    return Output(RECOMMENDATIONS, partition, message.user_id.encode(), encode_json(message))


def vector_record(partition: int, slate: Slate, model_version: str, settings: Settings) -> Output | None:
    """Return the record that publishes the user's vector, or None for a user without history."""
    if slate.query.vector is None:
        return None
    vector = slate.query.vector / max(float(np.linalg.norm(slate.query.vector)), 1e-12)
    state = slate.query.state
    message = UserVector(
        schema_version=SCHEMA_VERSION,
        user_id=state.user_id,
        model_version=model_version,
        vector=vector.astype(np.dtype("<f4")).tobytes(),
        liked=_liked(state, settings),
    )
    return Output(USER_VECTORS, partition, state.user_id.encode(), encode_msgpack(message))


def _liked(state: UserState, settings: Settings) -> tuple[str, ...]:
    scale = settings.state.rating_scale
    middle = (scale.low + scale.high) / 2
    newest = dict.fromkeys(past.item_id for past in reversed(state.history) if _likes(past, middle))
    return tuple(newest)[: settings.ranking.lookalike_items]


def _likes(past: Interaction, middle: float) -> bool:
    if past.event_type == _RATING:
        return past.value is not None and past.value > middle
    return past.event_type != _DISLIKE
