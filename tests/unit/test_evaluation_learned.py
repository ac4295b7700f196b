"""Nothing that is later than the last applied event enters a learned score: items, times, the target.

The pause before the target is the leak that is easy to make. `test_evaluation.py` has the same law for baselines.
"""

from datetime import timedelta
from functools import cache

import msgspec
import numpy as np
import pytest

from streams.errors import DataError
from streams.settings import Settings
from tests.ranking import worlds
from tests.unit import test_isolated_training, test_towers
from workers import evaluate
from workers.datasets import Dataset, sample
from workers.datasets.contract import in_replay_order
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.acting import Weighted
from workers.ranking.evaluation.added import WithIsolated
from workers.ranking.evaluation.evaluate import PROTOCOLS, read_log
from workers.ranking.evaluation.learned import Reranked, Towers
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.evaluation.systems import System
from workers.ranking.model.serving import Model

ASKED = 12


@cache
def systems() -> dict[str, System]:
    items, model = test_towers.texts(), Model(test_towers.trained())
    chosen = worlds.settings(candidates=40, exploration=0.2)
    reranked = Reranked(Retrieval(model, items, chosen))
    assert model.actions is not None
    return {
        "towers": Towers(model, items),
        "reranked": reranked,
        "weighted": Weighted(model, items, reranked, {"like": 0.5, "purchase": 2.0}),
        "isolated": WithIsolated(Retrieval(Model(test_isolated_training.trained()), items, chosen)),
    }


def every_protocol() -> list[Questions]:
    data = sample.load()
    found = read_log(data.events, test_towers.texts(), data.rating_scale)
    return [
        protocols.leave_one_out(found),
        protocols.time_split(found, 0.2),
        protocols.prequential(found, 0.2),
        protocols.cold_items(found, 0.1, 100),
    ]


def with_another_future(question: Questions, draws: np.random.Generator) -> Questions:
    """Return a question whose log goes on with other items, other deeds, at other times, and another target."""
    events = question.log.events
    later = protocols.positions(question.log) >= question.applied[0]
    count = len(test_towers.texts().item_ids)
    changed = events._replace(
        rows=np.where(later, draws.integers(count, size=len(later)), events.rows),
        signals=np.where(later, draws.permutation(events.signals), events.signals),
        times_ms=np.where(
            later, events.times_ms.max() + draws.integers(1, 10**9, size=len(later)), events.times_ms
        ),
    )
    return question._replace(log=question.log._replace(events=changed), targets=(question.targets + 1) % count)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_that_has_nothing_to_ask_is_named_before_anything_is_learned(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "train_on", lambda *_, **__: pytest.fail("it learned"))
    data = sample.load()
    first = {event.user_id: event for event in reversed(data.events) if event.item_id}.values()
    again = [
        msgspec.structs.replace(
            each, event_id=f"{each.event_id}/{day}", event_time=each.event_time + timedelta(day)
        )
        for each in first
        for day in range(0, 900, 100)
    ]
    faithful = Dataset("faithful", data.items, in_replay_order(again), data.rating_scale)
    with pytest.raises(DataError, match=name):
        evaluate.evaluate_all(faithful, test_towers.texts(), Settings(), names=[name], share=0.2)


@pytest.mark.parametrize("questions", every_protocol(), ids=lambda questions: questions.name)
@pytest.mark.parametrize("name", ["towers", "reranked", "weighted", "isolated"])
def test_nothing_later_than_the_last_applied_event_enters_a_score(name: str, questions: Questions) -> None:
    system, draws = systems()[name], np.random.default_rng(5)
    for place in draws.permutation(len(questions.ends))[:ASKED].tolist():
        asked = questions.part(np.array([place]))
        np.testing.assert_array_equal(system.scores(asked), system.scores(with_another_future(asked, draws)))


@pytest.mark.parametrize("name", ["towers", "reranked", "weighted", "isolated"])
def test_a_score_that_knew_the_next_event_would_be_found_out(name: str) -> None:
    questions = protocols.prequential(every_protocol()[0].log, 0.2)
    asked = questions.part(np.array([len(questions.ends) - 1]))
    changed = with_another_future(asked, np.random.default_rng(5))
    knows = [each._replace(ends=each.ends + 1) for each in (asked, changed)]
    told, otherwise = (systems()[name].scores(each) for each in knows)
    assert not np.array_equal(told, otherwise)
