"""A small world to rank in: a catalogue, a model whose weights are drawn, and users by what they did."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import torch

from streams.clock import from_ms
from streams.codec import SCHEMA_VERSION
from streams.contracts import Event, EventType, ItemVector, UserState
from streams.contracts.recommendations import Source
from streams.settings import Settings
from streams.settings.ranking import IndexSettings
from streams.settings.state import RatingScale, StateSettings
from streams.settings.training import TrainingSettings
from streams.state.fold import fold
from streams.topics import CLICKSTREAM
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.model.actions import ActionHeads
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import HALF_LIFE_MS, count_items
from workers.ranking.model.features import Evidence
from workers.ranking.model.item_lists import laid_out
from workers.ranking.model.manifest import DataFacts, Origin
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.second_stage import SecondStage
from workers.ranking.model.serving import Model
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.trends import TRENDS

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


def model(seed: int = 0, known: int = ITEMS, *, second: bool = False) -> Model:
    """Return a model that knows the first `known` items by id; the first of them is the most popular."""
    return Model(bundle(seed, known, second_stage(known) if second else None))


def second_stage(known: int, k: int = 4) -> SecondStage:
    """Return a second stage of drawn weights; after each item comes most often the next, then the one after."""
    draws = np.random.default_rng(5)
    reranker = Reranker(hidden=8)
    for layer in (reranker.linear, reranker.out):
        torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(5))
    items = ((np.arange(known)[:, None] + 1 + np.arange(k)) % known).astype(np.int32)
    ease, covisited = (Neighbours(items.copy(), draws.random((known, k), np.float32)) for _ in range(2))
    trends = draws.random((known, TRENDS), np.float32)
    return SecondStage(reranker.state_dict(), Evidence(ease, covisited), trends)


def heads(actions: tuple[str, ...] = ("like", "dislike", "purchase")) -> ActionHeads:
    """Return heads of drawn weights that say something else of every pair."""
    made = ActionHeads(actions, width=16, hidden=8)
    generator = torch.Generator().manual_seed(6)
    for head in made.out.values():
        torch.nn.init.normal_(head.weight, generator=generator)
    made.eval()
    return made


def bundle(
    seed: int = 0,
    known: int = ITEMS,
    second: SecondStage | None = None,
    training: TrainingSettings | None = None,
    added: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
    base_model: Origin | None = None,
    stored: int = 0,
    index: IndexSettings | None = None,
) -> Bundle:
    """Return the bundle of that model, trained by these settings, with further scorers.

    Args:
        stored: how many items' vectors it stores; those that it does not know were passed over.
        index: by which lists are trained over those; None trains none.
    """
    shape = Shape(DIMENSION, known_items=known, width=16, layers=1, heads=2, history_length=8)
    rows = np.repeat(np.arange(known), np.arange(known, 0, -1))
    towers = TwoTowers(shape, seed=seed)
    texts = np.stack([np.frombuffer(item(number).vector, "<f4") for number in range(max(stored, known))])
    laid = laid_out(towers, torch.from_numpy(texts), np.arange(known), index) if stored else None
    return Bundle.of(
        towers,
        count_items(
            [item_id(number) for number in range(known)],
            rows,
            np.zeros(len(rows), np.int64),
            0,
            [item_id(number) for number in range(known, stored)],
        ),
        encoder_id="words",
        rating_scale=RatingScale(low=1, high=5),
        settings=training or TrainingSettings(),
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
        second=second,
        added=added,
        base_model=base_model,
        lists=None if laid is None else laid.lists,
        stored=None if laid is None else laid.stored,
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
    chosen: Settings, *, count: int = ITEMS, changed: Change | None = None, seed: int = 0, second: bool = False
) -> Generation:
    """Return a generation over such a catalogue."""
    return Generation(model(seed, second=second), catalogue(chosen, count, changed), chosen)


def state(
    user_id: str, deeds: Sequence[Deed] = (), seen: Sequence[int] = (), offset: int = 0, never: int | None = None
) -> UserState:
    """Return the state of a user who did this, a minute between two deeds, after they had clicked `seen`.

    Args:
        never: number of a deed that did not happen.
    """
    chosen = StateSettings(history_length=max(1, len(deeds)))
    told: UserState | None = None
    for place, deed in enumerate([*((number, EventType.CLICK) for number in seen), *deeds]):
        if never is not None and place == never + len(seen):
            continue
        number, kind, value = (*deed, None)[:3]
        source = Source(topic=CLICKSTREAM, partition=0, offset=offset + place, create_time_ms=NOW_MS)
        event = Event(
            event_id=f"e{place}",
            user_id=user_id,
            event_type=kind,
            event_time=from_ms(NOW_MS + 60_000 * place),
            item_id=item_id(number),
            value=value,
        )
        told = fold(told, event, source, chosen)
    if told is None:  # somebody who only searched
        event = Event(
            event_id="e", user_id=user_id, event_type=EventType.SEARCH, event_time=from_ms(NOW_MS), query="words"
        )
        source = Source(topic=CLICKSTREAM, partition=0, offset=offset, create_time_ms=NOW_MS)
        told = fold(None, event, source, chosen)
    return told


def clicks(user_id: str, *numbers: int) -> UserState:
    """Return the state of a user who clicked these items."""
    return state(user_id, [(number, EventType.CLICK) for number in numbers])
