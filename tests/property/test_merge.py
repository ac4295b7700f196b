"""One answer of several tiers is the best of all their finds, each key once, whichever way it is found."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.candidates import Candidates, merge

SCORES = st.sampled_from([float("-inf"), -1.0, 0.0, 0.5, 1.0, 2.0])
TIER = st.dictionaries(st.integers(0, 20), SCORES, max_size=12)
TIERS = st.lists(TIER, min_size=1, max_size=3)


def found(tier: dict[int, float], best_first: bool) -> Candidates:
    pairs = list(tier.items())
    if best_first:
        pairs.sort(key=lambda pair: -pair[1])
    keys = np.array([[key if np.isfinite(score) else -1 for key, score in pairs]], np.int64).reshape(1, -1)
    scores = np.array([[score for _, score in pairs]], np.float32).reshape(1, -1)
    return Candidates(keys, scores, keys)


@given(TIERS, st.integers(1, 12), st.booleans())
def test_a_merge_is_the_best_of_all(tiers: list[dict[int, float]], k: int, best_first: bool) -> None:
    held: dict[int, float] = {}
    for tier in tiers:  # oldest first: the newer score counts
        held |= {key: score for key, score in tier.items() if np.isfinite(score)}
    best = sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
    got = merge([found(tier, best_first) for tier in tiers], k)
    expected = [key for key, _ in best] + [-1] * (k - len(best))
    assert got.keys.tolist() == [expected]
    assert got.scores[0, : len(best)].tolist() == [score for _, score in best]
    assert np.isneginf(got.scores[0, len(best) :]).all()
