"""A ranking worker of any size without a broker: drawn vectors, drawn weights, drawn histories."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import EventType, ItemVector, Record
from streams.settings import Settings, load_settings
from streams.topics import USER_STATE
from tests.ranking import worlds
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import HALF_LIFE_MS, count_items
from workers.ranking.model.manifest import DataFacts
from workers.ranking.model.serving import Model
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.transform import RankingTransform
from workers.ranking.world import World

DIMENSION = 384
HISTORY = 20


class Place:
    """What a ranking worker needs of the world, and the worker itself."""

    def __init__(self, items: int, seed: int = 0) -> None:
        self._draw = np.random.default_rng(seed)
        self._items = items
        self._offset = 0
        self.settings = load_settings()
        self.catalogue = _catalogue(self.settings, items, self._draw)
        self.generation = Generation(_model(items), self.catalogue, self.settings)
        self.vector_offsets = (items,)
        self.transform = RankingTransform(self.settings, cast(World, self))
        self.transform.assigned([0])
        self.transform.restored([0])

    def follow(self) -> list[int]:
        """Nothing changes."""
        return []

    def settle(self) -> None:
        """Do nothing: the indexes are laid out as they stay."""

    def batches(self, count: int, users: int) -> Iterator[list[Record]]:
        """Yield batches of state records, of other users each time."""
        for number in range(count):
            yield [self._record(f"u{number}-{user}") for user in range(users)]

    def handle(self, batch: list[Record]) -> int:
        """Return how many outputs a batch made; it is decoded, ranked, kept."""
        taken = [self.transform.decode(record) for record in batch]
        outputs = list(self.transform.handle(cast(Any, taken)))
        self.transform.kept({})
        return len(outputs)

    def close(self) -> None:
        """Stop the threads of the indexes."""
        self.generation.close()
        if self.generation.texts is not None:
            self.generation.texts.close()

    def _record(self, user: str) -> Record:
        self._offset += 1
        chosen = self._draw.integers(0, min(self._items, 1_000), HISTORY).tolist()
        state = worlds.state(user, [(number, EventType.CLICK) for number in chosen], offset=self._offset)
        return Record(USER_STATE, 0, self._offset, worlds.NOW_MS, user.encode(), encode_msgpack(state), ())


def _catalogue(settings: Settings, items: int, draw: np.random.Generator) -> Catalogue:
    made = Catalogue(settings.ranking)
    vectors = draw.standard_normal((items, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for number in range(items):
        made.put(
            ItemVector(
                schema_version=SCHEMA_VERSION,
                item_id=worlds.item_id(number),
                vector=vectors[number].astype("<f4").tobytes(),
                content_hash=bytes(16),
                title=f"Title {number}",
                categories=(worlds.CATEGORIES[number % len(worlds.CATEGORIES)],),
                price=float(number),
                available=True,
                expires_at_ms=None,
            )
        )
    return made


def _model(items: int) -> Model:
    known = min(items, 2_000)
    shape = Shape(DIMENSION, known_items=known, width=64, layers=2, heads=2, history_length=50)
    rows = np.repeat(np.arange(known), np.linspace(50, 1, known).astype(np.int64))
    return Model(
        Bundle.of(
            TwoTowers(shape, seed=0),
            count_items(
                [worlds.item_id(number) for number in range(known)], rows, np.zeros(len(rows), np.int64), 0
            ),
            encoder_id="words",
            rating_scale=load_settings().state.rating_scale,
            settings=load_settings().training,
            data=DataFacts(
                first_event_ms=0,
                last_event_ms=HALF_LIFE_MS,
                interactions=len(rows),
                users=1,
                ignored={},
                sha256="0" * 64,
            ),
            metrics={},
            created_at=worlds.bundle().manifest.created_at,
        )
    )
