"""Laws of the second stage at work: whose evidence counts, and that a score moves with nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from tests.ranking.making import assert_no_score_moves_with_the_batch
from tests.ranking.worlds import DIMENSION, ITEMS, NOW_MS, bundle, catalogue, clicks, item_id, settings, state
from workers.ranking.generation import Generation
from workers.ranking.model.features import NAMES, Evidence, Pairs, Trails, features
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.second_stage import SecondStage
from workers.ranking.model.serving import Model
from workers.ranking.model.trends import TRENDS
from workers.ranking.pipeline import Pipeline
from workers.ranking.scorers import by_vector

KNOWN = 50
"""Items that the model has evidence of; the rest of the catalogue is newer."""


def second_stage() -> SecondStage:
    draws = np.random.default_rng(3)

    def lists() -> Neighbours:
        found = np.stack([draws.permutation(KNOWN)[:12] for _ in range(KNOWN)])
        return Neighbours(found.astype(np.int32), draws.random((KNOWN, 12)).astype(np.float32))

    reranker = Reranker(8)
    torch.nn.init.normal_(reranker.linear.weight, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(reranker.out.weight, generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(reranker.unmet.weight, generator=torch.Generator().manual_seed(2))
    trends = draws.random((KNOWN, TRENDS)).astype(np.float32)
    return SecondStage(reranker.state_dict(), Evidence(lists(), lists()), trends)


def pipeline(passed_over: Sequence[str] = ()) -> Pipeline:
    chosen, made = settings(), bundle(known=KNOWN)
    items = made.items._replace(passed_over=tuple(passed_over))
    model = Model(replace(made, items=items, second=second_stage()))
    return Pipeline(Generation(model, catalogue(chosen), chosen), chosen)


STATES = [clicks("a", 3, 8, 55), state("nobody"), clicks("b", 11), clicks("c", *range(20, 48))]


def test_a_score_does_not_move_with_the_batch() -> None:
    assert_no_score_moves_with_the_batch(pipeline(), STATES)


def test_the_parts_add_up_and_a_stranger_has_no_evidence() -> None:
    whole = pipeline()
    queries = whole.hydrate(STATES)
    candidates, _ = whole.candidates(queries, NOW_MS)
    scored = whole.score(queries, candidates)
    np.testing.assert_allclose(sum(scored.parts.values()), scored.scores, atol=1e-6)
    strangers = candidates.owners == 1
    assert not scored.parts["evidence"][strangers].any()
    assert scored.parts["evidence"][~strangers].all()
    towers = whole.score(queries, candidates, by_vector)
    added = scored.parts["evidence"] + scored.parts["exploration"]
    np.testing.assert_allclose(towers.scores + added, scored.scores, atol=1e-6)


def test_serving_looks_up_what_the_features_say() -> None:
    whole, second = pipeline(), second_stage()
    generation = whole._generation
    queries = whole.hydrate([clicks("a", 3, 8, 55)])
    candidates, _ = whole.candidates(queries, NOW_MS)
    rows = candidates.rows
    texts = generation.model.unit_texts(generation.catalogue.text_vectors[:ITEMS])
    numbers = np.where(rows < KNOWN, rows, -1)
    newest = np.array([[55, 8, 3]])
    trails = Trails(np.where(newest < KNOWN, newest, -1), newest, np.array([3]))
    trends = np.concatenate([second.trends, np.zeros((1, TRENDS), np.float32)])[numbers]
    pairs = Pairs(np.zeros_like(rows), numbers, rows, trends, rows >= KNOWN)  # the others came after the model
    found = features(second.evidence, KNOWN, texts, trails, pairs)
    assert found[:, NAMES.index("unmet")].any()
    assert found[:, NAMES.index("ease_5")].any()
    reranker = Reranker(8)
    reranker.load_state_dict(dict(second.weights))
    towers = whole.score(queries, candidates, by_vector).scores
    with torch.inference_mode():
        expected = reranker(torch.from_numpy(towers), torch.from_numpy(found))
    explored = np.where(rows >= KNOWN, np.float32(0.4), np.float32(0))
    np.testing.assert_allclose(whole.score(queries, candidates).scores, expected.numpy() + explored, atol=1e-5)
    assert generation.catalogue.row(item_id(55)) == 55
    assert texts.shape == (ITEMS, DIMENSION)


def test_what_came_after_the_model_is_scored_by_its_text_and_what_was_passed_over_is_not() -> None:
    states, later = [clicks("a", 3, 8, 55)], [item_id(number) for number in range(KNOWN, ITEMS)]
    new, passed_over = pipeline(), pipeline(passed_over=later)
    queries = new.hydrate(states)
    candidates, _ = new.candidates(queries, NOW_MS)
    strange = candidates.rows >= KNOWN
    assert new._generation.unmet[candidates.rows].tolist() == strange.tolist()
    assert not passed_over._generation.unmet.any()
    one, other = (each.score(queries, candidates) for each in (new, passed_over))
    np.testing.assert_array_equal(one.scores[~strange], other.scores[~strange])
    assert (one.scores[strange] != other.scores[strange]).all()
    assert not other.parts["exploration"].any()
    np.testing.assert_allclose(one.parts["exploration"], np.where(strange, 0.4, 0.0), atol=1e-6)
