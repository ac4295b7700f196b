"""The live index against a dictionary, under any writes, searches and compactions."""

from unittest.mock import patch

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from index.contract import Keys, Vectors
from index.inverted_lists import TrainedLists
from index.live import LiveIndex
from index.main_tier import MainTier
from streams.settings.ranking import IndexSettings

WIDTH = 8
TINY = IndexSettings(fresh_capacity=2)
"""Two rows: one fault seeded into the sketch of this index was found with no larger fresh tier."""
KEYS = st.integers(0, 25)
SEEDS = st.integers(0, 60)
WRITES = st.lists(st.tuples(KEYS, st.none() | SEEDS), max_size=6)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    faiss.omp_set_num_threads(1)


def vector(seed: int) -> npt.NDArray[np.float32]:
    """Return float32 (WIDTH,), of any length."""
    return np.random.default_rng(seed).standard_normal(WIDTH).astype(np.float32)


class LiveIndexMachine(RuleBasedStateMachine):
    """Compaction runs only where a rule says so; the background thread is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.index = LiveIndex(WIDTH, TINY)
        self.index.close()
        self.model: dict[int, npt.NDArray[np.float32]] = {}

    @rule(batch=st.lists(st.tuples(KEYS, SEEDS), min_size=1, max_size=9))
    def upsert(self, batch: list[tuple[int, int]]) -> None:
        self.index.upsert([key for key, _ in batch], np.stack([vector(seed) for _, seed in batch]))
        self.model |= {key: vector(seed) for key, seed in batch}

    @rule(keys=st.lists(KEYS, max_size=5))
    def remove(self, keys: list[int]) -> None:
        assert self.index.remove(keys) == len({key for key in keys if key in self.model})
        for key in keys:
            self.model.pop(key, None)

    @rule()
    def compact(self) -> None:
        self.index.compact()

    @rule(writes=WRITES)
    def compact_while_writes_land_between_cut_and_swap(self, writes: list[tuple[int, int | None]]) -> None:
        build = self.index._build

        def build_late(keys: Keys, vectors: Vectors, trained: TrainedLists | None = None) -> MainTier:
            for key, seed in writes:
                if seed is None:
                    self.remove([key])
                else:
                    self.upsert([(key, seed)])
            return build(keys, vectors, trained)

        with patch.object(self.index, "_build", build_late):
            self.index.compact()

    @rule(writes=WRITES)
    def fail_to_compact(self, writes: list[tuple[int, int | None]]) -> None:
        with patch.object(self.index, "_build", side_effect=MemoryError), pytest.raises(MemoryError):
            self.index.compact()

    @rule(query=st.integers(100, 130), k=st.integers(1, 30), exclude=st.lists(KEYS, max_size=6))
    def search(self, query: int, k: int, exclude: list[int]) -> None:
        found = self.index.search(vector(query)[None], k, exclude)
        scores = {key: float(row @ vector(query)) for key, row in self.model.items() if key not in exclude}
        keys = [key for key in found.keys[0].tolist() if key >= 0]
        assert len(set(keys)) == len(keys) == min(k, len(scores))
        best = found.scores[0, : len(keys)]
        np.testing.assert_allclose(best, [scores[key] for key in keys], atol=1e-5)
        np.testing.assert_allclose(best, sorted(scores.values(), reverse=True)[:k], atol=1e-5)

    @invariant()
    def it_holds_what_was_written(self) -> None:
        assert len(self.index) == len(self.model)
        assert all((key in self.index) == (key in self.model) for key in range(0, 26, 5))


LiveIndexMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLiveIndex = LiveIndexMachine.TestCase
