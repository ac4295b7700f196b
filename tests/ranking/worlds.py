"""A small world to rank in: a catalogue, a model whose weights are drawn, and users by what they did."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from streams.codec import SCHEMA_VERSION
from streams.contracts import EventType, Interaction, ItemVector, UserState
from streams.contracts.recommendations import Source
from streams.settings import Settings
from streams.settings.ranking import TrainingSettings
from streams.settings.state import RatingScale
from streams.state.fold import TYPE_CODES
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import HALF_LIFE_MS, count_items
from workers.ranking.model.manifest import DataFacts
from workers.ranking.model.serving import Model
from workers.ranking.model.towers import Shape, TwoTowers

ITEMS = 60
DIMENSION = 16
NOW_MS = 1_700_000_000_000
CATEGORIES = ("Comedy", "Drama", "Horror")
Deed = tuple[int, EventType] | tuple[int, EventType, float]
Change = Callable[[int], dict[str, object]]


def item_id(number: int) -> str:
    return f"i{number:03d}"


def item(number: int, **changes: object) -> ItemVector:
    """Return item `number`; its text vector depends on its number only."""
    vector = np.random.default_rng(number).standard_normal(DIMENSION).astype("<f4")
    fields: dict[str, object] = {
        "vector": (vector / np.linalg.norm(vector)).tobytes(),
        "content_hash": bytes(16),
        "title": f"Title {number}",
        "categories": (CATEGORIES[number % len(CATEGORIES)],),
        "price": float(number),
        "available": True,
        "expires_at_ms": None,
    }
    return ItemVector(schema_version=SCHEMA_VERSION, item_id=item_id(number), **(fields | changes))  # type: ignore[arg-type]


def model(seed: int = 0, known: int = ITEMS) -> Model:
    """Return a model that knows the first `known` items by id; the first of them is the most popular."""
    return Model(bundle(seed, known))


def bundle(seed: int = 0, known: int = ITEMS) -> Bundle:
    """Return the bundle of that model."""
    shape = Shape(DIMENSION, known_items=known, width=16, layers=1, heads=2, history_length=8)
    rows = np.repeat(np.arange(known), np.arange(known, 0, -1))
    return Bundle.of(
        TwoTowers(shape, seed=seed),
        count_items([item_id(number) for number in range(known)], rows, np.zeros(len(rows), np.int64), 0),
        encoder_id="words",
        rating_scale=RatingScale(low=1, high=5),
        settings=TrainingSettings(),
        data=DataFacts(
            first_event_ms=0,
            last_event_ms=HALF_LIFE_MS,
            interactions=len(rows),
            users=1,
            ignored={},
            sha256="0" * 64,
        ),
        metrics={},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def settings(**ranking: object) -> Settings:
    """Return settings with this section `ranking`."""
    return Settings(ranking=ranking)  # type: ignore[arg-type]


def catalogue(chosen: Settings, count: int = ITEMS, changed: Change | None = None) -> Catalogue:
    """Return a catalogue of `count` items; `changed` gives the fields in which an item differs."""
    made = Catalogue(chosen.ranking)
    for number in range(count):
        made.put(item(number, **(changed(number) if changed else {})))
    return made


def generation(
    chosen: Settings, *, count: int = ITEMS, changed: Change | None = None, seed: int = 0
) -> Generation:
    """Return a generation over such a catalogue."""
    return Generation(model(seed), catalogue(chosen, count, changed), chosen)


def state(user_id: str, deeds: Sequence[Deed] = (), seen: Sequence[int] = (), offset: int = 0) -> UserState:
    """Return the state of a user who did this, a minute between two deeds."""
    history = tuple(
        Interaction(item_id(deed[0]), NOW_MS + 60_000 * place, TYPE_CODES[deed[1]], (*deed, None)[2], place)
        for place, deed in enumerate(deeds)
    )
    return UserState(
        schema_version=SCHEMA_VERSION,
        user_id=user_id,
        history=history,
        seen=tuple(map(item_id, seen)),
        event_count=len(history),
        last_event_time_ms=NOW_MS + 60_000 * len(history),
        last_query=None,
        caused_by=("e1",),
        source=Source(topic="clickstream.events.v1", partition=0, offset=offset, create_time_ms=NOW_MS),
        applied={"clickstream.events.v1": offset},
    )


def clicks(user_id: str, *numbers: int) -> UserState:
    """Return the state of a user who clicked these items."""
    return state(user_id, [(number, EventType.CLICK) for number in numbers])
