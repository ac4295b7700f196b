"""Laws of decayed counts and of stream time."""

from collections import Counter
from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import ItemTrend, UserAction
from streams.contracts.learning import TREND_HOURS
from streams.feedback.stream_time import StreamTime
from streams.feedback.trends import Activity, activities, decayed, trend_after

HOUR_MS = 3_600_000
ACTIVITY = st.builds(
    lambda hours, counts: Activity("i", counts, int(hours * HOUR_MS)),
    st.floats(1, 500),
    st.dictionaries(st.integers(1, 3), st.integers(1, 9), max_size=3),
)
LATER_MS = 600 * HOUR_MS


def trend_of(activities: list[Activity]) -> ItemTrend | None:
    trend = None
    for offset, activity in enumerate(activities):
        trend = trend_after(trend, activity, offset, LATER_MS)
    return trend


def close(one: ItemTrend | None, other: ItemTrend | None) -> bool:
    if one is None or other is None:
        return one is other
    left, right = decayed(one, LATER_MS), decayed(other, LATER_MS)
    return left.keys() == right.keys() and all(
        isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
        for kind in left
        for a, b in zip(left[kind], right[kind], strict=True)
    )


@given(st.lists(ACTIVITY, max_size=8), st.data())
def test_late_activity_counts_as_it_would_have_in_time(activities: list[Activity], data: st.DataObject) -> None:
    assert close(trend_of(activities), trend_of(data.draw(st.permutations(activities))))


@given(st.lists(ACTIVITY, min_size=1, max_size=8), st.data())
def test_reading_any_suffix_again_counts_nothing_twice(activities: list[Activity], data: st.DataObject) -> None:
    trend = trend_of(activities)
    for offset in range(data.draw(st.integers(0, len(activities))), len(activities)):
        assert trend_after(trend, activities[offset], offset, LATER_MS) is trend


ACTIONS = st.lists(
    st.builds(
        lambda item, kind, time_ms: UserAction("u", kind, item, time_ms, None, None, 0, 0, 0),
        st.sampled_from("ab"),
        st.integers(1, 3),
        st.integers(0, 500 * HOUR_MS),
    ),
    max_size=8,
)


@given(ACTIONS)
def test_the_activities_of_a_record_are_its_actions_counted_by_item_and_kind(actions: list[UserAction]) -> None:
    found = activities(actions)
    assert [each.item_id for each in found] == list(dict.fromkeys(action.item_id for action in actions))
    for each in found:
        own = [action for action in actions if action.item_id == each.item_id]
        assert each.counts == Counter(action.event_type for action in own)
        assert each.newest_ms == max(action.event_time_ms for action in own)


@given(st.integers(1, 9), st.floats(0, 300))
def test_an_event_weighs_less_by_e_with_every_memory_that_passes(count: int, hours: float) -> None:
    trend = trend_after(None, Activity("i", {2: count}, 1_000 * HOUR_MS), 0, 2_000 * HOUR_MS)
    found = decayed(trend, 1_000 * HOUR_MS + int(hours * HOUR_MS))[2]
    for memory, value in zip(TREND_HOURS, found, strict=True):
        assert isclose(value, count * 2.718281828459045 ** (-hours / memory), rel_tol=1e-4, abs_tol=1e-9)


TIMES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 10**7)), min_size=1, max_size=20)


@given(TIMES)
def test_stream_time_never_goes_back_nor_ahead_of_the_topics(times: list[tuple[str, int]]) -> None:
    clock = StreamTime("ab", jump_ms=10**9, patience_ms=1_000)
    seen = {"a": 0, "b": 0}
    before = 0
    for topic, time_ms in times:
        seen[topic] = max(seen[topic], time_ms)
        now = clock.advance(topic, time_ms, 10**9)
        assert now >= before
        assert now == max(0, min(seen.values()), max(seen.values()) - 1_000)
        before = now


def test_one_wrong_clock_moves_time_by_no_more_than_the_bound() -> None:
    clock = StreamTime(("a",), jump_ms=100)
    assert clock.advance("a", 10**15, 5_000) == 5_100, "nor beyond its own CreateTime"
    assert clock.advance("a", 10**15, 10**15) == 5_200
    assert clock.advance("a", 4_000, 10**15) == 5_200
