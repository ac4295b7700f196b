"""Laws of the fold from events to user state."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import to_ms
from streams.codec import decode_user_state, encode_msgpack
from streams.contracts import Event, EventType, Record, Source, UserState
from streams.contracts.events import DECISIONS, RETRACTIONS
from streams.contracts.fields import Scalar
from streams.contracts.users import ROW
from streams.settings.state import StateSettings
from streams.state.arrivals import arrival_of
from streams.state.draft import Draft
from streams.state.fold import apply, fold, next_version
from streams.state.rules import Rules
from streams.topics import CLICKSTREAM, REKEYED

SETTINGS = StateSettings(history_length=4, seen_length=6, duplicate_window=40, trend_context="country")
HORIZON = SETTINGS.model_copy(update={"history_horizon_days": 20 / 86_400, "forward_jump_seconds": 10.0})
START = datetime(2024, 1, 1, tzinfo=UTC)
SILENT = {EventType.IMPRESSION, EventType.SEARCH}


def event(
    number: int,
    second: int,
    item: int,
    kind: EventType,
    session: str | None = None,
    country: Scalar = None,
) -> Event:
    return Event(
        event_id=f"e{number}",
        event_type=kind,
        user_id="u",
        item_id=f"i{item}",
        event_time=START + timedelta(seconds=second),
        value=float(second % 5 + 1) if kind is EventType.RATING else None,
        query=f"shoes {number}" if kind is EventType.SEARCH else None,
        session_id=session,
        context={"country": country},
    )


@st.composite
def streams(draw: st.DrawFn, *, distinct_times: bool = False) -> list[Event]:
    seconds = draw(st.lists(st.integers(0, 50), max_size=20, unique=distinct_times))
    kinds, sessions = st.sampled_from(list(EventType)), st.sampled_from([None, "a", "b"])
    countries = st.sampled_from([None, "NL", "DE", 1.5])
    return [
        event(number, second, draw(st.integers(0, 9)), draw(kinds), draw(sessions), draw(countries))
        for number, second in enumerate(seconds)
    ]


def folded(
    events: list[Event],
    state: UserState | None = None,
    first_offset: int = 0,
    settings: StateSettings = SETTINGS,
) -> UserState | None:
    for offset, each in enumerate(events, start=first_offset):
        source = Source(topic=CLICKSTREAM, partition=1, offset=offset, create_time_ms=7)
        state = fold(state, each, source, settings)
    return state


def applied(draft: Draft, events: list[Event], first_offset: int, settings: StateSettings) -> None:
    arrivals = [
        arrival_of(
            Record(CLICKSTREAM, 1, offset, 7, b"u", None),
            each,
            to_ms(each.event_time),
            settings.trend_context,
        )
        for offset, each in enumerate(events, start=first_offset)
    ]
    apply(draft, arrivals, Rules.of(settings))


def standing(events: Iterable[Event]) -> list[Event]:
    """Return what a history without limits holds, said in the plainest way."""
    acts = [each for each in events if each.event_type not in SILENT]
    newest = {each.item_id: each for each in sorted(acts, key=when) if each.event_type in DECISIONS}
    return sorted(
        (each for each in acts if each.event_type not in DECISIONS or newest[each.item_id] is each), key=when
    )


def when(each: Event) -> datetime:
    return each.event_time


def items(state: UserState | None) -> list[tuple[str, int, int]]:
    return [(past.item_id, past.event_time_ms, past.event_type) for past in (state.history if state else ())]


def as_items(events: Iterable[Event]) -> list[tuple[str | None, int, int]]:
    return [
        (each.item_id, to_ms(each.event_time), each.event_type.code)
        for each in events
        if each.event_type not in RETRACTIONS
    ]


@given(streams())
def test_history_is_the_newest_interactions_that_stand_in_event_time(events: list[Event]) -> None:
    assert items(folded(events)) == as_items(standing(events)[-SETTINGS.history_length :])


@given(streams(distinct_times=True), st.randoms(use_true_random=False))
def test_late_and_shuffled_events_land_where_they_belong(events: list[Event], random: Random) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    for settings in (SETTINGS, HORIZON):
        in_order, late = folded(events, settings=settings), folded(shuffled, settings=settings)
        if in_order is None or late is None:
            assert not events
            continue
        assert late.history == in_order.history
        for name in ("event_count", "last_event_time_ms", "second_event_time_ms", "last_query", "last_context"):
            assert getattr(late, name) == getattr(in_order, name)


@given(streams(), st.data())
def test_replaying_from_any_earlier_offset_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    state = folded(events)
    start = data.draw(st.integers(0, len(events)))
    assert folded(events[start:], state, first_offset=start) is state


@given(streams(), st.data())
def test_a_crash_at_any_point_and_a_replay_give_the_same_state(events: list[Event], data: st.DataObject) -> None:
    crash = data.draw(st.integers(0, len(events)))
    committed = data.draw(st.integers(0, crash))
    for settings in (SETTINGS, HORIZON):
        published = folded(events[:crash], settings=settings)
        restored = decode_user_state(encode_msgpack(published)) if published else None
        again = folded(events[committed:], restored, first_offset=committed, settings=settings)
        assert unversioned(again) == unversioned(folded(events, settings=settings))


@given(streams(), st.lists(st.integers(0, 20)))
def test_batch_boundaries_do_not_show_in_the_state(events: list[Event], cuts: list[int]) -> None:
    for settings in (SETTINGS, HORIZON):
        draft, bounds = Draft.of_nothing("u", 1), sorted({0, len(events), *(c for c in cuts if c < len(events))})
        for begin, end in pairwise(bounds):
            applied(draft, events[begin:end], begin, settings)
        one_by_one = folded(events, settings=settings)
        assert unversioned(draft.frozen() if events else None) == unversioned(one_by_one)


def unversioned(state: UserState | None) -> UserState | None:
    return next_version(state) if state else None


@given(streams(), st.integers(0, 19))
def test_a_repeated_event_of_any_type_changes_nothing_within_the_window(events: list[Event], which: int) -> None:
    state = folded(events)
    if state is None:
        return
    for topic in (CLICKSTREAM, REKEYED):
        source = Source(topic=topic, partition=1, offset=1_000, create_time_ms=7)
        assert fold(state, events[which % len(events)], source, SETTINGS) is state


def test_a_repeat_is_known_by_the_newest_events_only() -> None:
    settings = StateSettings(duplicate_window=3)
    log = [event(number, number, number, EventType.IMPRESSION) for number in range(4)]
    state = folded(log, settings=settings)
    assert state is not None
    for number, known in enumerate([False, True, True, True]):
        source = Source(topic=CLICKSTREAM, partition=1, offset=9, create_time_ms=7)
        assert (fold(state, log[number], source, settings) is state) == known


@given(streams())
def test_seen_and_history_together_hold_every_recent_item_within_their_limits(events: list[Event]) -> None:
    state = folded(events)
    if state is None:
        return
    assert len(state.history) <= SETTINGS.history_length
    assert len(state.seen_column.split(b"\xff")) - 1 == state.seen_entries <= SETTINGS.seen_length
    assert len(set(state.seen)) == len(state.seen)
    acted_on = {each.item_id for each in events if each.event_type not in SILENT}
    remembered = {past.item_id for past in state.history} | set(state.seen)
    assert remembered <= acted_on
    if len(acted_on) <= SETTINGS.seen_length * 3 // 4:
        assert remembered == acted_on


@given(streams())
def test_every_event_is_counted_and_the_newest_record_is_the_source(events: list[Event]) -> None:
    state = folded(events)
    if state is None:
        return
    assert state.event_count == len(events)
    assert state.source.offset == len(events) - 1
    assert state.last_event_time_ms == max(to_ms(each.event_time) for each in events)
    searches = sorted((each for each in events if each.event_type is EventType.SEARCH), key=when)
    assert state.last_query == (searches[-1].query if searches else None)
    telling = sorted((each for each in events if isinstance(each.context["country"], str)), key=when)
    assert state.last_context == (telling[-1].context["country"] if telling else None)


@given(streams())
def test_with_a_horizon_what_lies_behind_it_is_seen_and_no_longer_history(events: list[Event]) -> None:
    state = folded(events, settings=HORIZON)
    if state is None:
        return
    newest = sorted((to_ms(each.event_time) for each in events), reverse=True)
    stream_time_ms = min(newest[0], newest[1] + 10_000) if len(newest) > 1 else newest[0]
    within = [each for each in standing(events) if to_ms(each.event_time) >= stream_time_ms - 20_000]
    assert items(state) == as_items(within[-HORIZON.history_length :])


identifiers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)


@st.composite
def wild_events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(list(EventType)))
    return Event(
        event_id=draw(identifiers),
        event_type=kind,
        user_id="u",
        item_id=draw(identifiers),
        event_time=draw(st.datetimes(datetime(1990, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC))),
        session_id=draw(st.none() | identifiers),
        value=draw(st.floats(allow_nan=False, allow_infinity=False)),
        query=draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2_000)),
    )


@given(st.lists(wild_events(), max_size=12))
def test_any_valid_event_can_be_folded_and_the_state_read_back(events: list[Event]) -> None:
    for settings in (SETTINGS, HORIZON):
        state = folded(events, settings=settings)
        if state is None:
            return
        assert decode_user_state(encode_msgpack(state)) == state
        named = {each.item_id for each in events}
        assert {past.item_id for past in state.history} | set(state.seen) <= named
        ratings = {each.value for each in events if each.event_type is EventType.RATING}
        assert {past.value for past in state.history if past.value is not None} <= ratings


@given(streams(), st.data())
def test_no_bytes_make_a_state_that_breaks_its_reader(events: list[Event], data: st.DataObject) -> None:
    state = folded(events)
    value = bytearray(encode_msgpack(state) if state else b"")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        found = decode_user_state(bytes(value))
    except msgspec.DecodeError:
        return
    assert len(found.history) * ROW.size <= len(found.row_column)
    assert isinstance(found.seen, tuple)
    assert found.source.partition == found.partition


def test_without_the_setting_no_context_is_kept_and_a_state_of_before_can_be_read() -> None:
    state = folded([event(0, 0, 1, EventType.VIEW, country="NL")], settings=StateSettings())
    assert state is not None
    assert (state.last_context, state.last_context_time_ms) == (None, -1)
    fields = msgspec.msgpack.decode(encode_msgpack(state))
    earlier = decode_user_state(encode_msgpack(fields[:-2]))
    assert earlier == state
    later = folded([event(1, 1, 2, EventType.VIEW, country="DE")], earlier, 1)
    assert later is not None
    assert later.last_context == "DE"
