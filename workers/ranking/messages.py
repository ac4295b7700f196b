"""From a slate to the records that are published for it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import numpy as np

from streams.clock import from_ms
from streams.codec import SCHEMA_VERSION, encode_json, encode_msgpack
from streams.contracts import (
    Answer,
    Output,
    RankingQuery,
    Recommendation,
    RecommendedItem,
    Record,
    UserState,
    UserVector,
)
from streams.contracts.recommendations import recommendation_id
from streams.privacy.receipts import ERASURE_HEADER, erasure_of, receipt, receipt_record
from streams.settings import Settings
from streams.state.taste import taste
from streams.topics import RANKING_ANSWERS, RECOMMENDATIONS, USER_VECTORS
from workers.ranking.candidates import Query, Slate
from workers.ranking.generation import Generation

_NOT_DECISIVE = {
    "publish", "heartbeat_seconds", "deadline_seconds", "standing_per_second", "valid_seconds", "model_name",
    "score_parts", "requests",
}  # fmt: skip


def rules_version(settings: Settings) -> str:
    """Return 12 hexadecimal digits, equal for settings under which equal users get equal slates."""
    decisive = settings.ranking.model_dump_json(exclude=_NOT_DECISIVE) + settings.state.trend_context
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
    return Recommendation(
        recommendation_id=recommendation_id(
            state.user_id, state.source.partition, state.source.offset, model.version
        ),
        user_id=state.user_id,
        items=_items(slate, generation),
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


def answer_record(
    slate: Slate,
    asked: RankingQuery,
    generation: Generation,
    offsets: tuple[int, ...],
    now: datetime,
    *,
    rules: str,
) -> Output:
    """Return the record that answers a request, on the partition of the user's state.

    Further arguments as of `recommendation`.
    """
    request, model = asked.request, generation.model
    message = Answer(
        request_id=request.request_id,
        user_id=request.user_id,
        items=_items(slate, generation),
        source=asked.source,
        generated_at=now,
        model_version=model.version,
        vector_offsets=offsets,
        encoder_id=model.encoder_id,
        rules_version=rules,
        query=request.query,
    )
    return Output(RANKING_ANSWERS, slate.query.state.partition, request.user_id.encode(), encode_json(message))


def slate_record(partition: int, message: Recommendation) -> Output:
    """Return the record that publishes a slate."""
    return Output(RECOMMENDATIONS, partition, message.user_id.encode(), encode_json(message))


def erasure_records(record: Record, now: datetime) -> list[Output]:
    """Return what makes downstream forget a user, and the receipt of it, for a null state.

    A null that no erasure is named on makes them forget just the same.
    """
    key, partition, erasure_id = record.key or b"", record.partition, erasure_of(record.headers)
    headers = ((ERASURE_HEADER, erasure_id.encode()),) if erasure_id is not None else ()
    nulls = [Output(topic, partition, key, None, headers) for topic in (RECOMMENDATIONS, USER_VECTORS)]
    if erasure_id is None:
        return nulls
    cleared = [RECOMMENDATIONS, USER_VECTORS, "state and standing slate in memory"]
    told = receipt("ranking", erasure_id, key.decode(errors="replace"), cleared, now)
    return [*nulls, receipt_record(partition, told)]


def vector_record(partition: int, slate: Slate, model_version: str, settings: Settings) -> Output | None:
    """Return the record that publishes the user's vector, or None for a user without history."""
    message = user_vector(slate.query, model_version, settings)
    if message is None:
        return None
    return Output(USER_VECTORS, partition, message.user_id.encode(), encode_msgpack(message))


def user_vector(query: Query, model_version: str, settings: Settings) -> UserVector | None:
    """Return what other workers are told of a user, or None for one without history."""
    if query.vector is None:
        return None
    vector = query.vector / max(float(np.linalg.norm(query.vector)), 1e-12)
    return UserVector(
        schema_version=SCHEMA_VERSION,
        user_id=query.state.user_id,
        model_version=model_version,
        vector=vector.astype(np.dtype("<f4")).tobytes(),
        liked=_liked(query.state, settings),
    )


def _items(slate: Slate, generation: Generation) -> tuple[RecommendedItem, ...]:
    parts: Sequence[dict[str, float] | None] = slate.parts or [None] * len(slate.rows)
    places = zip(slate.rows.tolist(), slate.scores.tolist(), slate.reasons, parts, strict=True)
    return tuple(
        RecommendedItem(generation.catalogue.item_id(row), rank, score, why, made_of)
        for rank, (row, score, why, made_of) in enumerate(places, start=1)
    )


def _liked(state: UserState, settings: Settings) -> tuple[str, ...]:
    speaks = taste(state, settings.state.rating_scale)
    newest_first = [item_id for item_id in reversed(speaks) if speaks[item_id] > 0]
    return tuple(newest_first[: settings.ranking.lookalike_items])
