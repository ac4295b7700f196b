"""Laws of the curves: nothing is counted twice or left out, kept words are calibrated, the page shows them all."""

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.ranking import worlds
from tests.unit.test_evaluation import ITEMS, log, texts
from tests.unit.test_towers import texts as item_texts
from tests.unit.test_towers import trained
from workers.datasets import sample
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.curves import BINS, by_day, by_history, calibration
from workers.ranking.evaluation.evaluate import evaluate, read_log
from workers.ranking.evaluation.learned import Reranked, Towers, mask_seen, probabilities
from workers.ranking.evaluation.measuring import Answered, Answers, ask
from workers.ranking.evaluation.metrics import Ranks, ndcg_at
from workers.ranking.evaluation.page import page
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.evaluation.systems import baselines
from workers.ranking.model.serving import Model


def answered() -> Answered:
    questions = protocols.prequential(log(users=400), 0.3)
    return ask(questions, baselines(questions, texts()), ITEMS)


@pytest.mark.parametrize("curve", [by_history, by_day])
def test_a_curve_parts_the_questions_and_averages_to_the_whole(curve: Any) -> None:
    found = answered()
    for name, answers in found.answers.items():
        points = curve(name, found)
        assert len(points) > 3
        assert sum(point["questions"] for point in points) == len(answers.ranks)
        whole = sum(point["ndcg_at_10"] * point["questions"] for point in points) / len(answers.ranks)
        assert whole == pytest.approx(ndcg_at(10, answers.ranks))


def foretelling(chances: Ranks, kept: Ranks) -> Answered:
    """Return answers of a system that foretold `chances` where `kept` came true."""
    hit = np.random.default_rng(0).random(len(kept)) < kept
    ranks = np.where(hit, 1.0, 50.0)
    answers = Answers(ranks, np.zeros((len(ranks), 10), np.int64), chances)
    return Answered(protocols.prequential(log(), 0.2), {"it": answers}, {})


def test_who_keeps_every_word_has_no_calibration_error_and_who_boasts_has_that_of_the_boast() -> None:
    true = np.random.default_rng(1).random(40_000) * 0.5
    honest = calibration("it", foretelling(true, true))
    boasting = calibration("it", foretelling(true + 0.3, true))
    assert honest is not None
    assert boasting is not None
    assert honest["error"] < 0.01
    assert boasting["error"] == pytest.approx(0.3, abs=0.01)
    assert honest["log_loss"] < boasting["log_loss"]
    assert len(honest["bins"]) == BINS
    assert sum(point["questions"] for point in honest["bins"]) == 40_000


def test_a_system_that_foretells_nothing_has_no_calibration() -> None:
    found = answered()
    assert all(calibration(name, found) is None for name in found.answers)


def test_chances_add_up_and_the_second_stage_leaves_the_candidates_their_mass() -> None:
    data = sample.load()
    questions = protocols.prequential(read_log(data.events, item_texts(), data.rating_scale), 0.2)
    questions = questions.part(np.flatnonzero(questions.ends > questions.starts)[:50])
    model = Model(trained())
    towers = probabilities(mask_seen(Towers(model, item_texts()).scores(questions), questions))
    scores = mask_seen(
        Reranked(Retrieval(model, item_texts(), worlds.settings(candidates=20))).scores(questions), questions
    )
    reranked = probabilities(scores)
    for found in (towers, reranked):
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)
    candidates = scores > -1e4
    assert set(candidates.sum(axis=1).tolist()) <= set(range(1, 21))
    # Scores 1e5 below the candidates' are rounded to .008 in float32.
    np.testing.assert_allclose(
        np.where(candidates, reranked, 0).sum(axis=1), np.where(candidates, towers, 0).sum(axis=1), atol=2e-3
    )
    assert np.abs(reranked - towers).max() > 0.01


def test_the_page_holds_every_system_and_every_point_and_no_foreign_markup() -> None:
    data = sample.load()
    questions = protocols.prequential(read_log(data.events, item_texts(), data.rating_scale), 0.2)
    result = evaluate(questions, item_texts(), Model(trained()))
    systems = result["systems"]
    assert {name for name in systems if "calibration" in systems[name]} == {"towers", "reranked"}
    for measures in systems.values():
        assert {"coverage", "diversity", "popularity_bias", "by_history", "by_day"} <= set(measures)
    found = {"dataset": "<b>", "items": 160, "events": 6_000, "protocols": {"prequential": result}}
    text = page(found, {"ndcg_at_10": "NDCG"})
    root = ElementTree.fromstring(text.replace("<!doctype html>", "").replace('<meta charset="utf-8">', ""))
    assert "<b>" not in text
    assert {"trending", "union"} <= {cell.text for cell in root.findall(".//td")}
    charts = root.findall(".//svg")
    assert len(charts) == 3
    named = [{label.text for label in drawn.findall("text")} for drawn in charts]
    assert set(systems) <= named[0]
    assert set(systems) <= named[1]
    days = len(systems["towers"]["by_day"])
    assert [len((line.get("points") or "").split()) for line in charts[1].findall("polyline")] == [days] * len(
        systems
    )
