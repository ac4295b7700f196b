"""How much work a slate is: less when there is no time, and none of it grows in Python with the candidates."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.ranking import worlds
from tests.ranking.making import USERS, Makes, codes, count, numbers
from tests.ranking.worlds import NOW_MS
from workers.ranking.pipeline import Pipeline


def test_who_has_no_time_gets_less_and_is_told_so_and_nobody_gets_nothing(make: Makes) -> None:
    pipeline = make(deadline_seconds=1e-9, few_events=3)
    before = [count("degraded_total", level=level) for level in ("vector", "popular")]
    in_vector_order, popular = pipeline.recommend(USERS, NOW_MS), pipeline.recommend(USERS, NOW_MS)
    assert {slate.degraded for slate in in_vector_order} == {"vector"}
    assert {slate.degraded for slate in popular} == {"popular"}
    assert [count("degraded_total", level=level) for level in ("vector", "popular")] == [old + 4 for old in before]
    for user, slate in zip(USERS, popular, strict=True):
        seen = {past.item_id for past in user.history}
        wanted = [number for number in range(60) if worlds.item_id(number) not in seen]
        assert numbers(slate) == wanted[:10]
        assert codes(slate) - {"similar_item"} <= {"no_history", "few_events", "history", "popular"}
    assert {slate.degraded for slate in make(deadline_seconds=3_600.0).recommend(USERS, NOW_MS)} == {None}


def steps_of(work: Callable[[], object]) -> int:
    """Return the instructions of Python that `work` takes in the ranking package."""
    steps = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        if "/workers/ranking/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for one such frame when tracing begins
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def test_ten_times_the_candidates_are_no_more_work_for_python() -> None:
    found = []
    for candidates in (100, 1_000):
        settings = worlds.settings(
            candidates=10 * candidates, learned_candidates=candidates, popular_candidates=candidates,
            text_candidates=candidates,
            rules=["price < 1900"], boosts=[{"when": "price < 5", "add": 0.5}], caps=[{"most": 4}],
        )  # fmt: skip
        generation = worlds.generation(settings, count=2_000)
        pipeline = Pipeline(generation, settings)
        pipeline.recommend(USERS, NOW_MS)  # neighbour lists are filled once an item
        steps = steps_of(lambda: pipeline.recommend(USERS, NOW_MS))  # noqa: B023
        queries = pipeline.hydrate(USERS)
        found.append((len(pipeline.candidates(queries, NOW_MS)[0].rows), steps))
        generation.close()
        assert generation.texts is not None
        generation.texts.close()
    (few, steps_of_few), (many, steps_of_many) = found
    assert many > 5 * few
    assert steps_of_many < 1.2 * steps_of_few
