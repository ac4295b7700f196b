"""Training and evaluation never hold items × items beyond 20,000 items, nor what grows without a bound."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch

from streams.settings.training import TrainingSettings
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.systems import MOST_ITEMS, Linear, Nearest, baselines, histories
from workers.ranking.model.evidence import LIST_BYTES, Counted, list_length
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.validation import Validation

ITEMS = MOST_ITEMS + 1_000
DENSE_BYTES = 4 * ITEMS**2  # 1.8 GB


def log() -> Sequences:
    draws = np.random.default_rng(0)
    users, rows = draws.integers(60, size=3_000), draws.integers(ITEMS, size=3_000)
    return Sequences.of(users, rows, draws.integers(5, size=3_000), np.arange(3_000) * 60_000)


def texts() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = np.random.default_rng(1).standard_normal((ITEMS, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)  # type: ignore[no-any-return]


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_evidence_of_many_items_is_lists() -> None:
    settings = TrainingSettings(neighbour_head=300, neighbours=20, folds=2)
    assert peak_bytes(lambda: Counted.of(log(), texts(), settings)) < DENSE_BYTES / 4


def test_baselines_of_many_items_are_no_matrices() -> None:
    questions = protocols.prequential(log(), 0.1)
    asked = questions.part(np.arange(20))

    def work() -> None:
        for system in baselines(questions, texts()).values():
            system.scores(asked)

    assert "ease_decayed" not in baselines(questions, texts())
    assert peak_bytes(work) < DENSE_BYTES / 4


def test_texts_nearest_to_a_history_are_those_of_the_matrix_that_is_not_made() -> None:
    questions = protocols.prequential(log(), 0.1).part(np.arange(30))
    few = texts()[:500]
    small = questions._replace(
        log=questions.log._replace(events=questions.log.events._replace(rows=questions.log.events.rows % 500))
    )
    expected = Linear(few @ few.T, 5.0).scores(small)
    np.testing.assert_allclose(Nearest(few, 5.0).scores(small), expected, atol=1e-4)
    assert histories(small, 500, 5.0).shape == expected.shape


def test_validation_of_many_items_goes_by_small_blocks() -> None:
    towers = TwoTowers(Shape(8, 1_000_000, 8, 1, 2, 10)).eval()
    validation = Validation(log(), 0, 100, np.random.default_rng(0))
    vectors = torch.zeros(1_000_000, 8)
    assert len(validation.asked) == 100
    all_at_once = 4 * 100 * 1_000_000
    assert peak_bytes(lambda: validation.ranks(towers, vectors)) < all_at_once


@pytest.mark.parametrize("items", [1_000, 100_000, 1_000_000, 10_000_000])
def test_lists_stay_within_their_bytes(items: int) -> None:
    settings = TrainingSettings()
    length = list_length(items, settings)
    assert 1 <= length <= settings.neighbours
    assert length == 1 or 2 * 8 * (settings.folds + 1) * items * length <= LIST_BYTES
    assert list_length(1_682, settings) == settings.neighbours
