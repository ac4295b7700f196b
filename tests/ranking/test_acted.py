"""Weighted actions at work: parts bear their names, add up, and a score moves with nothing but its pair."""

from dataclasses import replace

import numpy as np
import pytest

from tests.ranking.making import USERS, assert_no_score_moves_with_the_batch
from tests.ranking.worlds import NOW_MS, bundle, catalogue, heads, second_stage, settings
from workers.ranking.generation import Generation
from workers.ranking.model.serving import Model
from workers.ranking.pipeline import Pipeline

WEIGHTS = {"like": 1.5, "dislike": -0.8, "purchase": 4.0}


def pipeline(weights: dict[str, float] | None = None, *, second: bool = True) -> Pipeline:
    chosen = settings(action_weights=weights or {})
    whole = replace(bundle(), second=second_stage(60) if second else None, actions=heads().state_dict())
    return Pipeline(Generation(Model(whole), catalogue(chosen), chosen), chosen)


@pytest.mark.parametrize("second", [True, False])
def test_parts_bear_the_actions_names_and_add_up(second: bool) -> None:
    whole, plain = pipeline(WEIGHTS, second=second), pipeline(second=second)
    queries = whole.hydrate(USERS)
    candidates, _ = whole.candidates(queries, NOW_MS)
    scored, before = whole.score(queries, candidates), plain.score(plain.hydrate(USERS), candidates)
    assert set(scored.parts) - set(before.parts) == set(WEIGHTS)
    np.testing.assert_allclose(sum(scored.parts.values()), scored.scores, atol=1e-5)
    known = candidates.owners > 0  # nobody is known of the first user
    for name, weight in WEIGHTS.items():
        assert not scored.parts[name][~known].any()
        assert (np.sign(scored.parts[name][known]) == np.sign(weight)).all()
    added = sum(scored.parts[name] for name in WEIGHTS)
    np.testing.assert_allclose(scored.scores - before.scores, added, atol=1e-5)


def test_without_weights_the_heads_change_no_bit() -> None:
    with_heads, without = pipeline(), pipeline({"like": 0.0})
    queries = with_heads.hydrate(USERS)
    candidates, _ = with_heads.candidates(queries, NOW_MS)
    found, same = with_heads.score(queries, candidates), without.score(without.hydrate(USERS), candidates)
    assert found.scores.tobytes() == same.scores.tobytes()
    assert set(found.parts) == {"model", "popularity", "evidence", "exploration"}


def test_a_weighted_score_does_not_move_with_the_batch() -> None:
    assert_no_score_moves_with_the_batch(pipeline(WEIGHTS), USERS)


def test_published_slates_show_what_an_action_gave() -> None:
    slates = pipeline(WEIGHTS).recommend(USERS, NOW_MS)
    for slate in slates[1:]:
        for score, parts in zip(slate.scores.tolist(), slate.parts, strict=True):
            assert set(WEIGHTS) <= set(parts)
            assert sum(parts.values()) == pytest.approx(score, abs=1e-5)
