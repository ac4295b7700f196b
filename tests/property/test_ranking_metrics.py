"""Laws of the measures of a ranking."""

import math

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from workers.ranking.evaluation.metrics import hit_rate_at, ndcg_at, ranks_of

Scores = npt.NDArray[np.float32]

scores_of_few_values = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 12)),
    elements=st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0]),
)
ranks = hnp.arrays(np.float64, st.integers(0, 30), elements=st.integers(2, 80).map(lambda half: half / 2))


@given(scores_of_few_values)
def test_rank_counts_the_better_and_half_of_the_equal(scores: Scores) -> None:
    targets = np.arange(len(scores)) % scores.shape[1]
    for line, target, rank in zip(scores, targets, ranks_of(scores, targets), strict=True):
        better = sum(score > line[target] for score in line)
        equal = sum(score == line[target] for score in line) - 1
        assert rank == 1 + better + equal / 2


@given(st.integers(1, 40), st.integers(1, 5))
def test_scores_that_are_all_equal_rank_at_the_middle(items: int, users: int) -> None:
    found = ranks_of(np.zeros((users, items), np.float32), np.zeros(users, np.int64))
    assert np.all(found == (items + 1) / 2)


@given(ranks, st.integers(1, 20))
def test_measures_lie_between_zero_and_one_and_ndcg_below_hit_rate(found: npt.NDArray[np.float64], k: int) -> None:
    assert 0 <= ndcg_at(k, found) <= hit_rate_at(k, found) + 1e-12 <= 1 + 1e-12


@given(ranks, st.integers(1, 20))
def test_longer_slates_and_better_ranks_never_lose(found: npt.NDArray[np.float64], k: int) -> None:
    for measure in (hit_rate_at, ndcg_at):
        assert measure(k, found) <= measure(k + 1, found) + 1e-12
        assert measure(k, found) <= measure(k, np.maximum(found - 1, 1.0)) + 1e-12


def test_known_ranks_give_the_known_measures() -> None:
    found = np.array([1.0, 3.0, 11.0])
    assert hit_rate_at(10, found) == pytest.approx(2 / 3)
    assert ndcg_at(10, found) == pytest.approx((1 + 1 / 2) / 3)
    assert hit_rate_at(10, np.empty(0)) == ndcg_at(10, np.empty(0)) == 0.0
