"""Topics as files: what a ranking worker reads when it starts, drawn for any number of users and items."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec
import numpy as np
import torch

from streams.clock import from_ms
from streams.codec import SCHEMA_VERSION, encode_json, encode_msgpack
from streams.contracts import Event, EventType, ItemVector, RecommendedItem, UserState, UserVector
from streams.contracts.recommendations import Recommendation, Source
from streams.settings import Settings
from streams.settings.state import RatingScale
from streams.settings.training import TrainingSettings
from streams.state.fold import fold
from streams.topics import CLICKSTREAM, MODELS, RECOMMENDATIONS, USER_STATE, USER_VECTORS, item_vectors
from workers.ranking.messages import rules_version
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import count_items
from workers.ranking.model.evidence import list_length
from workers.ranking.model.features import Evidence
from workers.ranking.model.item_lists import laid_out
from workers.ranking.model.manifest import DataFacts
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.second_stage import SecondStage
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.trends import TRENDS
from workers.ranking.registry import announcement

ENCODER: Final = "drawn"
DIMENSION: Final = 64
NOW_MS: Final = 1_700_000_000_000
_HISTORY: Final = 20
_TEMPLATES: Final = 1_000
_SLATE: Final = 10
_CHUNK: Final = 10_000
_LENGTH: Final = Struct("<I")

Line = tuple[bytes, bytes]


def write(folder: Path, topic: str, records: Iterator[Line]) -> None:
    """Write records, key and value, each after its length."""
    with (folder / topic).open("wb", 1 << 20) as file:
        for parts in records:
            for part in parts:
                file.write(_LENGTH.pack(len(part)))
                file.write(part)


def read(folder: Path, topic: str) -> Iterator[Line]:
    """Yield what `write` was given; nothing where there is no file."""
    if not (folder / topic).exists():
        return
    with (folder / topic).open("rb", 1 << 20) as file:
        while head := file.read(_LENGTH.size):
            key = file.read(_LENGTH.unpack(head)[0])
            yield key, file.read(_LENGTH.unpack(file.read(_LENGTH.size))[0])


def make(folder: Path, users: int, items: int) -> None:
    """Write a bundle into `folder` and every topic that a ranking worker reads."""
    bundle = _bundle(items).save(folder / "bundle")
    settings = Settings()
    write(folder, MODELS, iter(announcement(bundle, (folder / "bundle").as_uri(), settings.ranking.model_name)))
    write(folder, item_vectors(ENCODER), _items(items))
    write(folder, USER_VECTORS, _user_vectors(users, items, bundle.version))
    write(folder, USER_STATE, _states(users, items))
    write(folder, RECOMMENDATIONS, _slates(users, items, bundle.version, rules_version(settings)))


def item_id(number: int) -> str:
    return f"item-{number}"


def user_id(number: int) -> str:
    return f"user-{number}"


def _units(count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    draws = np.random.default_rng(seed)
    for first in range(0, count, _CHUNK):
        vectors = draws.standard_normal((min(_CHUNK, count - first), DIMENSION)).astype("<f4")
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for place, vector in enumerate(vectors):
            yield first + place, vector.tobytes()


def _items(items: int) -> Iterator[Line]:
    for number, vector in _units(items, 0):
        item = ItemVector(
            schema_version=SCHEMA_VERSION,
            item_id=item_id(number),
            vector=vector,
            content_hash=bytes(16),
            title=f"Title of item {number}",
            categories=("Some",),
            price=1.0,
            available=True,
            expires_at_ms=None,
        )
        yield item.item_id.encode(), encode_msgpack(item)


def _user_vectors(users: int, items: int, version: str) -> Iterator[Line]:
    most = Settings().ranking.lookalike_items
    for number, vector in _units(users, 1):
        liked = tuple(item_id((number * 31 + place * 7_919) % items) for place in range(most))
        yield (
            user_id(number).encode(),
            encode_msgpack(UserVector(SCHEMA_VERSION, user_id(number), version, vector, liked)),
        )


def _states(users: int, items: int) -> Iterator[Line]:
    draws = np.random.default_rng(2)
    templates = [_state(draws.integers(0, items, _HISTORY).tolist()) for _ in range(min(users, _TEMPLATES))]
    for number in range(users):
        state = msgspec.structs.replace(templates[number % len(templates)], user_id=user_id(number))
        yield user_id(number).encode(), encode_msgpack(state)


def _state(history: list[int]) -> UserState:
    state: UserState | None = None
    for place, number in enumerate(history):
        event = Event(
            event_id=f"{place}",
            event_type=EventType.CLICK,
            user_id="u",
            event_time=from_ms(NOW_MS + 60_000 * place),
            item_id=item_id(number),
        )
        source = Source(topic=CLICKSTREAM, partition=0, offset=place, create_time_ms=NOW_MS)
        state = fold(state, event, source, Settings().state)
    assert state is not None
    return state


def _slates(users: int, items: int, version: str, rules: str) -> Iterator[Line]:
    made = from_ms(NOW_MS)
    source = Source(topic=CLICKSTREAM, partition=0, offset=0, create_time_ms=NOW_MS)
    for number in range(users):
        listed = tuple(
            RecommendedItem(item_id((number * 17 + place * 104_729) % items), place + 1, 1.0, (), {"model": 1.0})
            for place in range(_SLATE)
        )
        message = Recommendation(
            recommendation_id=f"r{number}",
            user_id=user_id(number),
            items=listed,
            caused_by=("e",),
            source=source,
            last_event_time=made,
            generated_at=made,
            valid_until=made,
            model_version=version,
            vector_offsets=(0,),
            encoder_id=ENCODER,
            rules_version=rules,
        )
        yield user_id(number).encode(), encode_json(message)


def _bundle(items: int) -> Bundle:
    defaults = TrainingSettings()
    draws = np.random.default_rng(3)
    k = min(list_length(items, defaults), items)
    ease, covisited = (
        Neighbours(draws.integers(0, items, (items, k), np.int32), draws.random((items, k), np.float32))
        for _ in range(2)
    )
    weights = Reranker(defaults.reranker_hidden).state_dict()
    towers = TwoTowers(Shape(DIMENSION, items, defaults.width, defaults.layers, defaults.heads, 50), seed=0)
    texts = np.stack([np.frombuffer(vector, "<f4") for _, vector in _units(items, 0)])
    laid = laid_out(towers, torch.from_numpy(texts), np.arange(items), Settings().index)
    return Bundle.of(
        towers,
        count_items([item_id(number) for number in range(items)], np.arange(items), np.zeros(items, np.int64), 0),
        encoder_id=ENCODER,
        rating_scale=RatingScale(),
        settings=defaults,
        data=DataFacts(first_event_ms=0, last_event_ms=0, interactions=items, users=1, ignored={}, sha256=""),
        metrics={},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        lists=laid.lists,
        stored=laid.stored,
        second=SecondStage(weights, Evidence(ease, covisited), draws.random((items, TRENDS), np.float32)),
    )
