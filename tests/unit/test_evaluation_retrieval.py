"""What the evaluation finds is what a ranking worker would find: by the events up to a question, and no others."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from operator import attrgetter

import numpy as np
import pytest

from streams.clock import to_ms
from streams.codec import SCHEMA_VERSION, decode_user_vector
from streams.contracts import Event, EventType, ItemTrend, ItemVector, Source, UserAction, UserState
from streams.contracts.events import DECISIONS
from streams.feedback.trends import activities, trend_after
from streams.settings import Settings
from streams.state.fold import fold
from streams.topics import CLICKSTREAM
from tests.ranking import worlds
from tests.unit.test_evaluation_learned import every_protocol, with_another_future
from tests.unit.test_towers import STATE, texts, trained
from workers.datasets import sample
from workers.datasets.contract import in_replay_order
from workers.ranking.answering import nobody
from workers.ranking.candidates import Query, Step
from workers.ranking.catalogue import Catalogue
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.evaluate import read_log
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.retrieval import Retrieval, Retrieved
from workers.ranking.generation import Generation
from workers.ranking.messages import vector_record
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model
from workers.ranking.pipeline import Pipeline, Stages
from workers.ranking.sources import SOURCES
from workers.ranking.trends import Trends

LIVE = {"lookalike", "trending"}
SMALL = {
    "candidates": 40, "learned_candidates": 30, "covisited": 25, "together": 25, "popular_candidates": 12,
    "trending_candidates": 8, "lookalike_users": 4, "lookalike_items": 3, "neighbours": 4, "text_candidates": 9,
}  # fmt: skip
"""Or every source would name all of the 160 items, and be right by chance."""


def settings(**ranking: object) -> Settings:
    return worlds.settings(**SMALL | ranking).model_copy(update={"state": STATE})


SETTINGS = settings()


@cache
def events() -> Sequence[Event]:
    """Return acts on items; nobody decides twice on one item, which a log cannot say, or acts twice at once."""
    found: dict[tuple[object, ...], Event] = {}
    for event in sample.load().events:
        if event.item_id is None or event.event_type is EventType.IMPRESSION:
            continue
        decision = event.event_type in DECISIONS
        found.setdefault((event.user_id, event.item_id if decision else event.event_id), event)
    return in_replay_order(found.values())


@cache
def log() -> Sequences:
    return read_log(events(), texts(), sample.load().rating_scale)


@pytest.fixture
def retrieval() -> Iterator[Retrieval]:
    made = Retrieval(Model(trained()), texts(), SETTINGS)
    yield made
    made.close()


def spread(questions: Questions, count: int) -> Questions:
    return questions.part(np.arange(count) * len(questions.ends) // count)


class Served:
    """A ranking worker after the first `applied` events, told of them as state and feedback workers tell it."""

    def __init__(self, applied: int) -> None:
        self.states: dict[str, UserState] = {}
        catalogue = Catalogue(SETTINGS.ranking)
        for item_id, vector in zip(texts().item_ids, texts().text_vectors, strict=True):
            item = ItemVector(SCHEMA_VERSION, item_id, vector.tobytes(), bytes(16), item_id, (), None, True, None)
            catalogue.put(item)
        trends = Trends()
        told: dict[str, ItemTrend] = {}
        for number, event in enumerate(events()[:applied]):
            time_ms = to_ms(event.event_time)
            source = Source(topic=CLICKSTREAM, partition=0, offset=number, create_time_ms=time_ms)
            self.states[event.user_id] = fold(self.states.get(event.user_id), event, source, STATE)
            action = UserAction(
                event.user_id, event.event_type.code, event.item_id or "", time_ms, event.value, None, 0, number, 0
            )
            (activity,) = activities([action])
            told[activity.item_id] = trend_after(told.get(activity.item_id), activity, number, time_ms, 1)
        for item_id, trend in told.items():
            trends.put(0, item_id, trend)
        self.generation = Generation(Model(trained()), catalogue, SETTINGS, trends)
        self.pipeline = Pipeline(self.generation, SETTINGS, Stages(SETTINGS))
        slates = self.pipeline.recommend(list(self.states.values()), 0)
        records = [vector_record(0, slate, self.generation.model.version, SETTINGS) for slate in slates]
        vectors = [decode_user_vector(record.value or b"") for record in records if record is not None]
        self.generation.lookalikes.apply([(vector.user_id, vector) for vector in vectors])
        self.generation.lookalikes.complete()

    def close(self) -> None:
        self.generation.close()
        assert self.generation.texts is not None
        self.generation.texts.close()


def user_ids() -> dict[int, str]:
    """Return whose events begin where."""
    found: dict[int, str] = {}
    by_user: defaultdict[str, int] = defaultdict(int)
    for event in events():
        by_user[event.user_id] += 1
    start = 0
    for user_id, count in by_user.items():  # users are numbered as they first come
        found[start] = user_id
        start += count
    return found


def test_candidates_are_those_of_a_worker_that_was_told_the_same(retrieval: Retrieval) -> None:
    questions = protocols.prequential(log(), 0.97)
    known = questions.ends - questions.starts
    rungs = [np.flatnonzero((known >= least) & (known <= most)) for least, most in ((0, 0), (1, 3), (4, 9_999))]
    asked = questions.part(np.sort(np.concatenate([rung[:: len(rung) // 3][:3] for rung in rungs])))
    found, names = retrieval(asked), user_ids()
    for number in range(len(asked.ends)):
        served = Served(int(asked.applied[number]))
        user_id = names[int(asked.starts[number])]
        state = served.states.get(user_id, nobody(user_id, 0))
        (query,) = served.pipeline.hydrate([state])
        assert_same_user(found.queries[number], query)
        for source in SOURCES:
            (rows,) = served.pipeline.propose(source, [query])
            offline = found.proposals[source.name][number]
            assert offline.tolist() == rows.tolist(), source.name
            assert bool(len(rows)) == bool(found.asked[source.name][number]), f"{source.name} shows nothing"
        candidates, _ = served.pipeline.candidates([query], 0)
        kept = found.candidates.keep(found.candidates.owners == number)
        kept = kept._replace(owners=np.zeros_like(kept.owners)).best(SETTINGS.ranking.candidates, 1)
        np.testing.assert_array_equal(kept.rows, candidates.rows)
        np.testing.assert_array_equal(kept.sources, candidates.sources)
        np.testing.assert_allclose(kept.merits, candidates.merits, rtol=1e-6)
        served.close()
    assert {query.step for query in found.queries} == set(Step)


def assert_same_user(offline: Query, serving: Query) -> None:
    for name in ("history", "seen", "step", "bought", "disliked", "signals", "times_ms"):
        np.testing.assert_array_equal(getattr(offline, name), getattr(serving, name), err_msg=name)
    if serving.vector is None:
        assert offline.vector is None
    else:
        assert offline.vector is not None
        np.testing.assert_allclose(offline.vector, serving.vector, atol=1e-5)


def proposed(found: Retrieved, number: int) -> dict[str, list[int]]:
    return {name: lists[number].tolist() for name, lists in found.proposals.items()}


@pytest.mark.parametrize("questions", every_protocol(), ids=attrgetter("name"))
def test_no_source_knows_what_is_later_than_the_last_applied_event(
    retrieval: Retrieval, questions: Questions
) -> None:
    draws = np.random.default_rng(6)
    for place in draws.permutation(len(questions.ends))[:6].tolist():
        asked = questions.part(np.array([place]))
        before = proposed(retrieval(asked), 0)
        assert before == proposed(retrieval(with_another_future(asked, draws)), 0)


def test_a_source_that_heard_of_a_later_event_would_be_found_out(retrieval: Retrieval) -> None:
    questions = protocols.prequential(log(), 0.3)
    asked = questions.part(np.array([len(questions.ends) // 2]))
    told = asked._replace(applied=asked.applied + 40)
    changed = {
        name for name, rows in proposed(retrieval(asked), 0).items() if rows != proposed(retrieval(told), 0)[name]
    }
    assert changed == LIVE


def test_questions_are_answered_alike_together_and_alone_in_any_order(retrieval: Retrieval) -> None:
    asked = spread(protocols.prequential(log(), 0.3), 7)
    together = retrieval(asked)
    expected = [proposed(together, number) for number in range(7)]
    for number in (5, 0, 6):  # going back in time, too
        assert proposed(retrieval(asked.part(np.array([number]))), 0) == expected[number]
    backwards = retrieval(asked.part(np.arange(7)[::-1]))
    assert [proposed(backwards, number) for number in range(7)] == expected[::-1]
    assert backwards.candidates.rows.size == together.candidates.rows.size


def test_what_is_not_counted_is_told_to_nobody(retrieval: Retrieval) -> None:
    questions = protocols.leave_one_out(log())
    late = questions.part(np.array([int(np.argmax(questions.applied))]))
    everything = late._replace(counted=np.ones_like(late.counted))
    nothing = late._replace(counted=np.zeros_like(late.counted))
    of_late, of_all, of_none = (proposed(retrieval(each), 0) for each in (late, everything, nothing))
    assert of_late["lookalike"] != of_all["lookalike"]
    assert not of_none["lookalike"]
    assert not of_none["trending"]
    assert of_none["learned"] == of_late["learned"]


def test_what_the_operator_forbids_or_pins_is_no_part_of_it() -> None:
    forbidding = settings(excluded_items=texts().item_ids, rules=("price > 1",), exclude_seen=False)
    plain, ruled = (Retrieval(Model(trained()), texts(), each) for each in (SETTINGS, forbidding))
    asked = spread(protocols.prequential(log(), 0.3), 3)
    for one, other in zip(plain(asked).candidates, ruled(asked).candidates, strict=True):
        np.testing.assert_array_equal(one, other)
    for each in (plain, ruled):
        each.close()


def test_a_source_that_the_settings_leave_out_is_not_asked() -> None:
    made = Retrieval(Model(trained()), texts(), settings(sources=("text", "popular")))
    found = made(spread(protocols.prequential(log(), 0.3), 3))
    assert list(found.proposals) == ["text", "popular"]
    assert found.asked["popular"].all()
    made.close()
