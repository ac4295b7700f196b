"""Laws of the fold from events to user state."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import to_ms
from streams.contracts import Event, EventType, Source, UserState
from streams.settings.state import StateSettings
from streams.state.fold import fold, next_version
from streams.topics import CLICKSTREAM

SETTINGS = StateSettings(history_length=4, seen_length=6)
START = datetime(2024, 1, 1, tzinfo=UTC)
SILENT = {EventType.IMPRESSION, EventType.SEARCH}


def event(number: int, second: int, item: int, kind: EventType) -> Event:
    return Event(
        event_id=f"e{number}",
        event_type=kind,
        user_id="u",
        item_id=f"i{item}",
        event_time=START + timedelta(seconds=second),
        value=3.0 if kind is EventType.RATING else None,
        query="shoes" if kind is EventType.SEARCH else None,
    )


@st.composite
def streams(draw: st.DrawFn, *, distinct_times: bool = False) -> list[Event]:
    seconds = draw(st.lists(st.integers(0, 50), max_size=20, unique=distinct_times))
    kinds = st.sampled_from(list(EventType))
    return [event(n, second, draw(st.integers(0, 9)), draw(kinds)) for n, second in enumerate(seconds)]


def folded(events: list[Event], state: UserState | None = None, first_offset: int = 0) -> UserState | None:
    for offset, each in enumerate(events, start=first_offset):
        source = Source(topic=CLICKSTREAM, partition=1, offset=offset, create_time_ms=7)
        state = fold(state, each, source, SETTINGS)
    return state


def chosen(events: list[Event]) -> list[Event]:
    return [each for each in events if each.event_type not in SILENT]


@given(streams())
def test_history_is_the_newest_interactions_in_event_time(events: list[Event]) -> None:
    state = folded(events)
    by_time = sorted(chosen(events), key=lambda each: each.event_time)
    expected = [(each.item_id, to_ms(each.event_time)) for each in by_time[-SETTINGS.history_length :]]
    assert [(past.item_id, past.event_time_ms) for past in (state.history if state else ())] == expected


@given(streams(distinct_times=True), st.randoms(use_true_random=False))
def test_late_events_land_where_they_belong(events: list[Event], random: Random) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    in_order, late = folded(events), folded(shuffled)
    assert [p.item_id for p in (late.history if late else ())] == [
        p.item_id for p in sorted(in_order.history if in_order else (), key=lambda past: past.event_time_ms)
    ]


@given(streams(), st.data())
def test_replaying_from_any_earlier_offset_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    state = folded(events)
    start = data.draw(st.integers(0, len(events)))
    assert folded(events[start:], state, first_offset=start) is state


@given(streams(), st.data())
def test_batch_boundaries_do_not_show_in_the_state(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    first = folded(events[:cut])
    rest = folded(events[cut:], next_version(first) if first else None, first_offset=cut)
    whole = folded(events)
    assert (next_version(rest) if rest else None) == (next_version(whole) if whole else None)


@given(streams())
def test_a_retried_event_id_counts_once_while_the_history_holds_it(events: list[Event]) -> None:
    state = folded(events)
    newest = chosen(events)
    if state is None or not newest:
        return
    repeat = max(newest, key=lambda each: each.event_time)
    source = Source(topic=CLICKSTREAM, partition=1, offset=1_000, create_time_ms=7)
    assert fold(state, repeat, source, SETTINGS) is state


@given(streams())
def test_seen_and_history_together_hold_every_recent_item_within_their_limits(events: list[Event]) -> None:
    state = folded(events)
    if state is None:
        return
    assert len(state.history) <= SETTINGS.history_length
    assert len(state.seen) <= SETTINGS.seen_length
    assert len(set(state.seen)) == len(state.seen)
    items = {each.item_id for each in chosen(events)}
    remembered = {past.item_id for past in state.history} | set(state.seen)
    assert remembered <= items
    if len(items) <= SETTINGS.seen_length:
        assert remembered == items


@given(streams())
def test_every_event_is_counted_and_the_newest_record_is_the_source(events: list[Event]) -> None:
    state = folded(events)
    if state is None:
        return
    assert state.event_count == len(events)
    assert state.source.offset == len(events) - 1
    assert state.last_event_time_ms == max(to_ms(each.event_time) for each in events)
    searches = [each.query for each in events if each.event_type is EventType.SEARCH]
    assert state.last_query == (searches[-1] if searches else None)
