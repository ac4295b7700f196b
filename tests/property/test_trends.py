"""Laws of decayed counts and of stream time."""

from collections import Counter
from math import isclose

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import ItemTrend, UserAction
from streams.contracts.learning import TREND_HOURS
from streams.feedback.stream_time import StreamTime
from streams.feedback.trends import FADED, Activity, activities, decayed, faded, trend_after
from tests.same_trends import same_trend

HOUR_MS = 3_600_000
ACTIONS = st.lists(
    st.builds(
        lambda item, kind, time_ms, context: UserAction("u", kind, item, time_ms, None, None, 0, 0, 0, context),
        st.sampled_from("ab"),
        st.integers(1, 3),
        st.integers(HOUR_MS, 500 * HOUR_MS),
        st.none() | st.sampled_from(["NL", "DE", "FR", "BE"]),
    ),
    max_size=8,
)
ACTIVITY = ACTIONS.flatmap(lambda actions: st.sampled_from(activities(actions) or [Activity("a", {}, 1, {})]))
LATER_MS = 600 * HOUR_MS
ALL_OF_THEM = 4


def trend_of(activities: list[Activity], most_contexts: int = ALL_OF_THEM) -> ItemTrend:
    trend = ItemTrend(1, "i", 0, {}, -1)
    for offset, activity in enumerate(activities):
        trend = trend_after(trend, activity, offset, LATER_MS, most_contexts)
    return trend


@given(st.lists(ACTIVITY, max_size=8), st.integers(0, 3_000))
def test_a_trend_has_faded_when_it_adds_next_to_nothing_to_any_count(
    activities: list[Activity], hours: int
) -> None:
    trend, at_ms = trend_of(activities), LATER_MS + hours * HOUR_MS
    left = [count for of_kind in decayed(trend, at_ms).counts.values() for count in of_kind]
    assert faded(trend, at_ms) == all(count < FADED for count in left)


@given(st.lists(ACTIVITY, max_size=8), st.data())
def test_late_activity_counts_as_it_would_have_in_time(activities: list[Activity], data: st.DataObject) -> None:
    assert same_trend(trend_of(activities), trend_of(data.draw(st.permutations(activities))))


@given(st.lists(ACTIVITY, min_size=1, max_size=8), st.data())
def test_reading_any_suffix_again_counts_nothing_twice(activities: list[Activity], data: st.DataObject) -> None:
    trend = trend_of(activities)
    for offset in range(data.draw(st.integers(0, len(activities))), len(activities)):
        assert trend_after(trend, activities[offset], offset, LATER_MS, ALL_OF_THEM) is trend


@given(st.lists(ACTIVITY, max_size=12), st.integers(1, ALL_OF_THEM))
def test_no_more_contexts_than_allowed_and_together_no_more_than_was_done(
    activities: list[Activity], most: int
) -> None:
    trend = trend_of(activities, most)
    assert len(trend.contexts) <= most
    told = [counts.get(kind, ()) for counts in trend.contexts.values() for kind in range(4)]
    assert all(value > 0 for counts in told for value in counts)
    for kind, counts in trend.counts.items():
        of_contexts = [there.get(kind, (0.0,) * len(TREND_HOURS)) for there in trend.contexts.values()]
        for window, value in enumerate(counts):
            assert sum(there[window] for there in of_contexts) <= value * (1 + 1e-9)


@given(st.lists(ACTIVITY, max_size=8))
def test_where_all_contexts_find_room_each_counts_as_if_it_were_alone(activities: list[Activity]) -> None:
    trend = trend_of(activities)
    for context in {context for each in activities for context in each.contexts}:
        alone = [each._replace(counts=each.contexts.get(context, {}), contexts={}) for each in activities]
        here = msgspec.structs.replace(trend, counts=trend.contexts[context], contexts={})
        assert same_trend(trend_of(alone), here)


def test_of_too_many_contexts_the_strongest_stay_and_a_new_one_may_grow() -> None:
    often = [Activity("i", {1: 9}, HOUR_MS, {name: {1: 9}}) for name in ("NL", "DE")]
    seldom = [Activity("i", {1: 1}, HOUR_MS, {name: {1: 1}}) for name in ("FR", "BE", "BE")]
    trend = trend_of([*often, *seldom], most_contexts=3)
    assert {name: round(counts[1][-1]) for name, counts in trend.contexts.items()} == {"NL": 9, "DE": 9, "BE": 2}


@given(ACTIONS)
def test_the_activities_of_a_record_are_its_actions_counted_by_item_kind_and_context(
    actions: list[UserAction],
) -> None:
    found = activities(actions)
    assert [each.item_id for each in found] == list(dict.fromkeys(action.item_id for action in actions))
    for each in found:
        own = [action for action in actions if action.item_id == each.item_id]
        assert each.counts == Counter(action.event_type for action in own)
        assert each.newest_ms == max(action.event_time_ms for action in own)
        told = {action.context for action in own} - {None}
        assert each.contexts == {
            name: Counter(action.event_type for action in own if action.context == name) for name in told
        }


@given(st.integers(1, 9), st.floats(0, 300))
def test_an_event_weighs_less_by_e_with_every_memory_that_passes(count: int, hours: float) -> None:
    trend = trend_after(None, Activity("i", {2: count}, 1_000 * HOUR_MS, {}), 0, 2_000 * HOUR_MS, 1)
    found = decayed(trend, 1_000 * HOUR_MS + int(hours * HOUR_MS)).counts[2]
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
