"""Selection is greedy, obeys caps and pins, and without wishes it is a sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.ranking.policy import NO_GROUP
from workers.ranking.selection import Limit, Wishes, finite, select

SCORE = st.floats(-10, 10, width=32) | st.sampled_from([float("nan"), float("inf"), float("-inf")])
SCORES = st.lists(SCORE, max_size=15).map(lambda values: np.array(values, np.float32))
LENGTH = st.integers(1, 12)


@given(SCORES, LENGTH)
def test_without_wishes_the_largest_come_first_and_no_number_comes_last(scores: np.ndarray, length: int) -> None:
    expected = sorted(range(len(scores)), key=lambda place: (not np.isfinite(scores[place]), place))
    expected.sort(key=lambda place: -scores[place] if np.isfinite(scores[place]) else np.inf)
    assert select(scores, length, Wishes()).tolist() == expected[:length]


@given(SCORES)
def test_what_is_published_is_finite_and_keeps_the_order(scores: np.ndarray) -> None:
    order = select(scores, len(scores) or 1, Wishes())
    published = finite(scores)[order]
    assert np.isfinite(published).all()
    assert (np.diff(published) <= 0).all()


@given(SCORES, LENGTH, st.floats(0.001, 0.5), st.integers(0, 9))
def test_diversity_is_maximal_marginal_relevance(
    scores: np.ndarray,
    length: int,
    diversity: float,
    seed: int,
) -> None:
    scores = scores[np.isfinite(scores)]
    vectors = np.random.default_rng(seed).standard_normal((len(scores), 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = select(scores, length, Wishes(diversity=diversity, vectors=vectors)).tolist()
    assert len(set(chosen)) == len(chosen) == min(length, len(scores))
    if not chosen:
        return
    spread = float(np.ptp(scores.astype(np.float64))) or 1.0
    relevance = (scores - scores.min()) / spread
    for place, position in enumerate(chosen):
        standing = vectors[chosen[:place]]
        likeness = np.maximum((vectors @ standing.T).max(axis=1), 0) if place else np.zeros(len(scores))
        value = (1 - diversity) * relevance - diversity * likeness
        free = [other for other in range(len(scores)) if other not in chosen[:place]]
        assert value[position] >= max(value[free]) - 1e-5


@given(SCORES, LENGTH, st.floats(0.05, 0.95), st.integers(0, 9))
def test_variety_adds_missing_kinds_greedily_and_shows_them_by_score(
    scores: np.ndarray, length: int, variety: float, seed: int
) -> None:
    scores = scores[np.isfinite(scores)]
    draws = np.random.default_rng(seed)
    kinds = np.stack([draws.permutation([NO_GROUP, NO_GROUP, 0, 1, 2, 3])[:3] for _ in range(len(scores) + 1)])[1:]
    chosen = select(scores, length, Wishes(variety=variety, kinds=kinds.astype(np.int32))).tolist()
    assert len(set(chosen)) == len(chosen) == min(length, len(scores))
    assert (np.diff(scores[chosen]) <= 0).all()
    odds = np.exp(scores.astype(np.float64) - scores.max(initial=-np.inf))
    expected, standing = set[int](), {NO_GROUP}
    while len(expected) < len(chosen):
        free = [position for position in range(len(scores)) if position not in expected]
        own = [set(kinds[position].tolist()) - {NO_GROUP} for position in free]
        lacking = np.array([len(each - standing) for each in own])
        values = odds[free] + variety * odds.sum() * lacking
        best = free[int(np.argmax(values))]
        if np.sum(values > values.max() - 1e-5) > 1:
            return  # too close to tell by rounding
        expected.add(best)
        standing |= set(kinds[best].tolist())
    assert set(chosen) == expected


@given(SCORES, LENGTH, st.integers(1, 3), st.data())
def test_no_kind_is_fuller_than_its_cap_and_the_best_allowed_stand(
    scores: np.ndarray,
    length: int,
    most: int,
    data: st.DataObject,
) -> None:
    kinds = data.draw(
        st.lists(st.lists(st.integers(0, 2), max_size=2, unique=True), min_size=len(scores), max_size=len(scores))
    )
    groups = np.array([[*own, NO_GROUP, NO_GROUP][:2] for own in kinds], np.int32).reshape(-1, 2)
    chosen = select(scores, length, Wishes(limits=[Limit(groups, most)])).tolist()
    counts = dict.fromkeys(range(3), 0)
    expected: list[int] = []
    for position in select(scores, len(scores) or 1, Wishes()).tolist():
        if len(expected) < length and all(counts[kind] < most for kind in kinds[position]):
            expected.append(position)
            for kind in kinds[position]:
                counts[kind] += 1
    assert chosen == expected


@given(SCORES, LENGTH, st.data())
def test_pins_have_their_places_and_the_others_keep_their_order(
    scores: np.ndarray,
    length: int,
    data: st.DataObject,
) -> None:
    count = len(scores)
    positions = data.draw(st.lists(st.integers(0, max(0, count - 1)), max_size=min(3, count), unique=True))
    places = data.draw(st.permutations(range(length)))
    pins = dict(zip(positions, places, strict=False))
    chosen = select(scores, length, Wishes(pins=pins)).tolist()
    assert len(set(chosen)) == len(chosen) == min(length, count)
    free = [position for position in select(scores, count or 1, Wishes()).tolist() if position not in pins]
    others = [position for position in chosen if position not in pins]
    assert others == free[: len(others)]
    for position, place in pins.items():
        if place < len(chosen) - len(pins):
            assert chosen[place] == position


def test_pins_count_in_their_kinds_but_no_cap_removes_them() -> None:
    groups = np.zeros((4, 1), np.int32)
    wishes = Wishes(limits=[Limit(groups, 1)], pins={2: 0, 3: 1})
    assert select(np.arange(4, dtype=np.float32), 4, wishes).tolist() == [2, 3]


@pytest.mark.parametrize("scores", [[], [np.nan], [np.nan, np.inf]])
def test_nothing_or_no_number_at_all_breaks_nothing(scores: list[float]) -> None:
    values = np.array(scores, np.float32)
    kinds = np.full((len(scores), 1), NO_GROUP, np.int32)
    for wishes in (Wishes(limits=[Limit(kinds, 1)]), Wishes(variety=0.5, kinds=kinds)):
        assert len(select(values, 3, wishes)) == len(scores)
    assert np.isfinite(finite(values)).all()
