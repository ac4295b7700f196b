"""A user's newest slate, made sense of: reads the topics as a ranking worker does, and writes nothing."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from encoder.identity import encoder_id
from streams.clock import monotonic_seconds, sleep_seconds
from streams.codec import decode_recommendation, decode_user_state
from streams.contracts import EventType, Interaction, Recommendation, UserState
from streams.errors import BrokerError, DataError
from streams.kafka import partition_count
from streams.partitioner import owner
from streams.privacy.pseudonyms import known_as
from streams.reading import read_to_end
from streams.settings import Settings
from streams.state.sessions import current_session
from streams.topics import RECOMMENDATIONS, USER_STATE
from workers.ranking.explaining import Explanation, explain
from workers.ranking.generation import Generation
from workers.ranking.pipeline import Pipeline
from workers.ranking.world import World
from workers.wording import deed_words, why_words

T = TypeVar("T")
_TYPES = tuple(EventType)
_FOLLOW_SECONDS = 0.02
_MODEL_SECONDS = 600.0
_STRONGEST = 3


def explain_user(settings: Settings, user_id: str) -> dict[str, Any] | None:
    """Return what `headrace explain --json` prints, or None where the user has no slate.

    The scores are made anew from the newest state, by the model that serves: `as_published` is false where either
    is another than behind the slate, or where the scores differ for other reasons.

    Args:
        user_id: the user's own, also where pseudonyms are in use.

    Raises:
        DataError: no model was announced, or the one that was cannot serve.
    """
    name = known_as(user_id, settings.privacy)
    slate = _newest(settings, RECOMMENDATIONS, name, decode_recommendation)
    state = _newest(settings, USER_STATE, name, decode_user_state)
    if slate is None or state is None:
        return None
    world = World(settings, encoder_id(settings.encoder))
    try:
        generation = _generation(world)
        return told_of(slate, state, generation, settings)
    finally:
        world.close()


def told_of(slate: Recommendation, state: UserState, generation: Generation, settings: Settings) -> dict[str, Any]:
    """Return what `explain_user` does, of this slate and state.

    `known_events` and `newest_session_events`, those of them without a long pause or another session id between
    them, are of items that the catalogue knows; `sessions` counts all that the user began.
    """
    known = [item for item in slate.items if generation.catalogue.row(item.item_id) is not None]
    rows = generation.catalogue.rows(item.item_id for item in known)
    explanation = explain(state, rows, generation, Pipeline(generation, settings))
    titles = {entry.item_id: entry.title for entry in generation.catalogue}
    same_cause = state.source == slate.source and slate.model_version == generation.model.version
    published = np.array([item.score for item in known], np.float32)
    return {
        "user_id": slate.user_id,
        "recommendation_id": slate.recommendation_id,
        "generated_at": slate.generated_at.isoformat(),
        "model_version": generation.model.version,
        "known_events": len(explanation.events),
        "sessions": state.session_count,
        "newest_session_events": sum(
            generation.catalogue.row(past.item_id) is not None for past in current_session(state, settings.state)
        ),
        "as_published": bool(same_cause and np.allclose(published, explanation.scores, atol=1e-4)),
        "items": [
            {
                "item_id": item.item_id,
                "title": titles[item.item_id],
                "rank": item.rank,
                "score": float(explanation.scores[number]),
                "parts": explanation.parts[number],
                "why": why_words(item.reasons, titles),
                "events": _events(explanation, number, titles),
            }
            for number, item in enumerate(known)
        ],
    }


def _events(explanation: Explanation, number: int, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_event(past, change, titles) for past, change in explanation.strongest(number, _STRONGEST)]


def _event(past: Interaction, change: float, titles: Mapping[str, str]) -> dict[str, Any]:
    kind = _TYPES[past.event_type]
    return {
        "item_id": past.item_id,
        "event_type": kind.value,
        "event_time_ms": past.event_time_ms,
        "change": change,
        "words": deed_words(kind, past.item_id, past.value, titles),
    }


def _newest(settings: Settings, topic: str, user_id: str, decode: Callable[[bytes], T]) -> T | None:
    partitions = partition_count(settings, topic)
    if not partitions:
        raise BrokerError(f"There is no topic {topic}.", "run `headrace topics create`.")
    key, found = user_id.encode(), dict[bytes, bytes | None]()
    read_to_end(
        settings, topic, [owner(key, partitions)], lambda _, k, v: found.update({k: v} if k == key else {})
    )
    value = found.get(key)
    return None if value is None else decode(value)


def _generation(world: World) -> Generation:
    deadline = monotonic_seconds() + _MODEL_SECONDS
    while not world.caught_up and monotonic_seconds() < deadline:
        world.follow()
        sleep_seconds(0 if world.busy else _FOLLOW_SECONDS)
    world.follow()
    if world.generation is None:
        raise DataError("There is no model that can serve.", "run `headrace train`, and read what it says.")
    return world.generation
