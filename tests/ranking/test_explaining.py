"""What `headrace explain` says of an event is what happens without it."""

from collections.abc import Iterator

import numpy as np
import pytest

from streams.clock import from_ms
from streams.contracts import EventType, UserState
from streams.settings.state import StateSettings
from tests.ranking import worlds
from tests.ranking.worlds import NOW_MS, Deed, clicks, state
from workers.explaining import told_of
from workers.ranking.explaining import explain
from workers.ranking.generation import Generation
from workers.ranking.messages import recommendation, rules_version
from workers.ranking.pipeline import Pipeline

SETTINGS = worlds.settings(boosts=[{"when": "price > 30", "multiply": 2.0}])
DEEDS: list[Deed] = [
    (3, EventType.CLICK), (8, EventType.PURCHASE), (3, EventType.VIEW), (20, EventType.RATING, 1.0),
    (14, EventType.LIKE), (33, EventType.RATING, 5.0),
]  # fmt: skip


@pytest.fixture(scope="module")
def generation() -> Iterator[Generation]:
    made = worlds.generation(SETTINGS)
    yield made
    made.close()
    if made.texts is not None:
        made.texts.close()


@pytest.fixture(scope="module")
def pipeline(generation: Generation) -> Pipeline:
    return Pipeline(generation, SETTINGS)


def scores(user: UserState, rows: np.ndarray, generation: Generation, pipeline: Pipeline) -> np.ndarray:
    return explain(user, rows, generation, pipeline).scores


def test_an_event_counts_for_what_the_score_is_less_without_it(generation: Generation, pipeline: Pipeline) -> None:
    rows = np.array([40, 2, 51, 17])
    told = explain(state("u", DEEDS), rows, generation, pipeline)
    assert len(told.events) == len(DEEDS)
    for number in range(len(DEEDS)):
        without = state("u", DEEDS, never=number)
        assert len(without.history) == len(DEEDS) - 1
        np.testing.assert_allclose(
            told.scores - scores(without, rows, generation, pipeline), told.changes[number], atol=2e-5
        )


def test_the_scores_are_those_of_the_slate(generation: Generation, pipeline: Pipeline) -> None:
    user = state("u", DEEDS)
    (slate,) = pipeline.recommend([user], NOW_MS)
    told = explain(user, slate.rows, generation, pipeline)
    np.testing.assert_allclose(told.scores, slate.scores, atol=1e-5)
    for own, published in zip(told.parts, slate.parts, strict=True):
        assert own == pytest.approx(published, abs=1e-5)


def test_the_strongest_come_first_and_what_does_nothing_is_not_told(
    generation: Generation, pipeline: Pipeline
) -> None:
    beyond = [(number, EventType.CLICK) for number in range(12)]  # the model reads the newest 8
    told = explain(state("u", beyond), np.array([40]), generation, pipeline)
    strongest = told.strongest(0, 12)
    sizes = [abs(change) for _, change in strongest]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < len(strongest) <= 8
    assert {past.item_id for past, _ in strongest} <= {worlds.item_id(number) for number in range(4, 12)}


def test_without_the_only_event_nothing_is_left(generation: Generation, pipeline: Pipeline) -> None:
    told = explain(clicks("u", 5), np.array([40, 2]), generation, pipeline)
    np.testing.assert_array_equal(told.changes[0], told.scores)


def test_a_user_of_whom_nothing_is_known_has_no_events_to_blame(
    generation: Generation, pipeline: Pipeline
) -> None:
    told = explain(clicks("u"), np.array([40, 2]), generation, pipeline)
    assert told.changes.shape == (0, 2)
    assert told.strongest(0, 3) == []
    assert set(told.parts[1]) == {"popularity"}


@pytest.mark.parametrize(("gap_seconds", "newest"), [(3_600, 4), (30, 1)])
def test_what_is_printed_counts_the_events_of_the_newest_session_with_known_items(
    generation: Generation, pipeline: Pipeline, gap_seconds: float, newest: int
) -> None:
    user = clicks("u", 3, 900, 5, 6, 7)  # a minute between two of them; nobody knows item 900
    (slate,) = pipeline.recommend([user], NOW_MS)
    rules = rules_version(SETTINGS)
    message = recommendation(slate, generation, (), from_ms(NOW_MS), valid_seconds=60, rules=rules)
    gap = StateSettings(session_gap_seconds=gap_seconds)
    told = told_of(message, user, generation, SETTINGS.model_copy(update={"state": gap}))
    assert (told["known_events"], told["sessions"], told["newest_session_events"]) == (4, 1, newest)
    assert told["as_published"]
