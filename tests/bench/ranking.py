"""`make bench-ranking`: what a slate costs, and what diversity costs, on one core.

Speed on a made-up catalogue with drawn weights of the default shape: the arithmetic does not depend on what they
say. Diversity on MovieLens-100K with a model trained here as `headrace train` does (`tests/bench/diversity.py`).
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple, cast

import faiss
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from streams.clock import from_ms
from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import Event, EventType, ItemVector, Record, Source, UserState
from streams.settings import Settings
from streams.settings.state import RatingScale
from streams.settings.training import TrainingSettings
from streams.state.fold import fold
from streams.topics import CLICKSTREAM, USER_STATE
from tests.bench import diversity
from tests.bench.report import Figure, save
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import count_items
from workers.ranking.model.features import Evidence
from workers.ranking.model.manifest import DataFacts
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.second_stage import SecondStage
from workers.ranking.model.serving import Model
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.trends import TRENDS
from workers.ranking.pipeline import Pipeline
from workers.ranking.transform import RankingTransform
from workers.ranking.world import World

_NOW_MS: Final = 1_700_000_000_000
_TEXT_DIMENSION: Final = 384
_HISTORY: Final = 50
_MODEL_BATCH: Final = 32


class Size(NamedTuple):
    """How much is measured.

    Attributes:
        users: with 50 events each; each gets `rounds` slates, `batch` at once.
        every: of the events of MovieLens' newest fifth, every so many is a question; 0 leaves diversity out.
    """

    items: int
    users: int
    rounds: int
    batch: int
    every: int


FULL: Final = Size(items=10_000, users=2_000, rounds=3, batch=128, every=4)
SMOKE: Final = Size(items=500, users=64, rounds=1, batch=32, every=0)


class StillWorld:
    """A world in which nothing happens; stands in for what `World` follows on the broker."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.catalogue = generation.catalogue
        self.vector_offsets = (0,)

    def follow(self) -> list[int]:
        """Return no row."""
        return []

    def settle(self) -> None:
        """Do nothing: its indexes are laid out as they stay."""


def figures(size: Size = FULL) -> list[Figure]:
    """Return what was measured."""
    torch.set_num_threads(1)  # one core, for FAISS too; the worker limits the first two
    threadpool_limits(1, user_api="blas")
    faiss.omp_set_num_threads(1)
    with _generation(size.items, settings := Settings()) as generation:
        states = _states(size.users, size.items)
        found = [
            Figure(
                "slates_per_cpu_second", _slates_a_cpu_second(states, generation, settings, size), "1/s", ">= 300"
            ),
            Figure("model_ms_per_user", _model_ms(states, generation, settings, size), "ms", "<= 1"),
        ]
    return found + (diversity.figures(size.every) if size.every else [])


def _slates_a_cpu_second(
    states: Sequence[UserState], generation: Generation, settings: Settings, size: Size
) -> float:
    """Return slates a CPU-second from the bytes of a state to the records that publish its slate."""
    transform = RankingTransform(settings, cast(World, StillWorld(generation)))
    transform.assigned([0])
    transform.restored([0])
    records = [
        Record(USER_STATE, 0, number, _NOW_MS, state.user_id.encode(), encode_msgpack(state), ())
        for number, state in enumerate(states)
    ]

    def run() -> None:
        for batch in diversity.chunks(records, size.batch):
            list(transform.tick())
            written = list(transform.handle([transform.decode(record) for record in batch]))  # type: ignore[misc]
            assert len(written) == 2 * len(batch), "a slate and a vector each"
            transform.kept({})

    run()  # neighbour lists are filled, deadlines learned
    return size.rounds * len(records) / _cpu_seconds(run for _ in range(size.rounds))


def _model_ms(states: Sequence[UserState], generation: Generation, settings: Settings, size: Size) -> float:
    """Return CPU milliseconds a user from the packed history to the scores of 200 candidates."""
    pipeline = Pipeline(generation, settings)
    batches = diversity.chunks(states, _MODEL_BATCH)
    rows = np.sort(np.random.default_rng(1).permutation(size.items)[:200])
    candidates = {len(batch): diversity.same_candidates(rows, len(batch)) for batch in batches}

    def run() -> None:
        for batch in batches:
            pipeline.score(pipeline.hydrate(batch), candidates[len(batch)])

    run()
    return _cpu_seconds(run for _ in range(size.rounds)) * 1000 / (size.rounds * len(states))


def _cpu_seconds(runs: Iterable[object]) -> float:
    before = time.process_time()
    for run in runs:
        assert callable(run)
        run()
    return time.process_time() - before


@contextmanager
def _generation(items: int, settings: Settings) -> Iterator[Generation]:
    draws = np.random.default_rng(0)
    vectors = draws.standard_normal((items, _TEXT_DIMENSION)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(settings.ranking)
    for number, vector in enumerate(vectors):
        catalogue.put(
            ItemVector(
                schema_version=SCHEMA_VERSION,
                item_id=f"i{number}",
                vector=vector.tobytes(),
                content_hash=bytes(16),
                title=f"Title {number}",
                categories=("Some",),
                price=1.0,
                available=True,
                expires_at_ms=None,
            )
        )
    generation = Generation(Model(_bundle(items)), catalogue, settings)
    try:
        yield generation
    finally:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()


def _bundle(items: int) -> Bundle:
    defaults = TrainingSettings()
    shape = Shape(_TEXT_DIMENSION, items, defaults.width, defaults.layers, defaults.heads, _HISTORY)
    return Bundle.of(
        TwoTowers(shape, seed=0),
        count_items([f"i{number}" for number in range(items)], np.arange(items), np.zeros(items, np.int64), 0),
        encoder_id="drawn",
        rating_scale=RatingScale(),
        settings=defaults,
        data=DataFacts(first_event_ms=0, last_event_ms=0, interactions=items, users=1, ignored={}, sha256=""),
        metrics={},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        second=_second_stage(items, defaults),
    )


def _second_stage(items: int, defaults: TrainingSettings) -> SecondStage:
    """Return drawn evidence, as much of it as a trained model has at most."""
    draws = np.random.default_rng(3)
    k = min(defaults.neighbours, items)
    ease, covisited = (
        Neighbours(draws.integers(0, items, (items, k), np.int32), draws.standard_normal((items, k), np.float32))
        for _ in range(2)
    )
    weights = Reranker(defaults.reranker_hidden).state_dict()
    return SecondStage(weights, Evidence(ease, covisited), draws.random((items, TRENDS), np.float32))


def _states(users: int, items: int) -> list[UserState]:
    draws = np.random.default_rng(2)
    settings = Settings().state
    found = []
    for user in range(users):
        state: UserState | None = None
        for place, item in enumerate(draws.integers(0, items, _HISTORY).tolist()):
            event = Event(
                event_id=f"{user}-{place}",
                event_type=EventType.CLICK,
                user_id=f"u{user}",
                event_time=from_ms(_NOW_MS + 60_000 * place),
                item_id=f"i{item}",
            )
            source = Source(topic=CLICKSTREAM, partition=0, offset=user * _HISTORY + place, create_time_ms=_NOW_MS)
            state = fold(state, event, source, settings)
        assert state is not None
        found.append(state)
    return found


def main() -> None:
    """Measure and save; with `--smoke`, only show that a small run works."""
    if "--smoke" in sys.argv:
        for figure in figures(SMOKE):
            print(f"{figure.key}: {figure.value:g} {figure.unit}")
        return
    print(save("ranking", figures()))


if __name__ == "__main__":
    main()
