"""The compiled fold of usual events is the fold in Python, to the byte, and stays within its memory."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import to_ms
from streams.contracts import Event, EventType, Record
from streams.settings.state import StateSettings
from streams.state.arrivals import Arrival, arrival_of
from streams.state.batch import Work
from streams.state.compiled import Usual
from streams.state.draft import Draft, packed, thaw
from streams.state.feedback import Feedback
from streams.state.fold import apply
from streams.state.rules import Rules
from streams.topics import CLICKSTREAM, REKEYED

START = datetime(2024, 1, 1, tzinfo=UTC)
TIGHT = StateSettings(history_length=4, seen_length=6, duplicate_window=5)
ROOMY = StateSettings(history_length=8, seen_length=1_000)
HORIZON = TIGHT.model_copy(update={"history_horizon_days": 20 / 86_400, "forward_jump_seconds": 10.0})
COUNTED = ROOMY.model_copy(update={"trend_context": "country"})
SHORT_IDS = ROOMY.model_copy(update={"id_bytes": 40})
SETTINGS = st.sampled_from([TIGHT, ROOMY, HORIZON, COUNTED, SHORT_IDS])
USUAL = [EventType.VIEW, EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.IMPRESSION]
IDS = st.text(min_size=1, max_size=300)

pytestmark = pytest.mark.skipif(Usual is None, reason="the compiled fold was not built: there was no C compiler")


@st.composite
def arrivals(draw: st.DrawFn, kinds: list[EventType], *, late: bool, most: int = 30) -> list[Arrival]:
    second, found = 0, []
    for number in range(draw(st.integers(1, most))):
        second += draw(st.integers(-3 if late else 0, 9))
        kind, topic = draw(st.sampled_from(kinds)), draw(st.sampled_from([CLICKSTREAM, CLICKSTREAM, REKEYED]))
        event = Event(
            event_id=draw(st.just(f"e{number}") | st.sampled_from(["again", "\N{EURO SIGN}" * 200]) | IDS),
            event_type=kind,
            user_id="u",
            item_id=draw(st.sampled_from(["a", "bb", "b"]) | IDS),
            event_time=START + timedelta(seconds=second),
            value=float(second % 5 + 1) if kind is EventType.RATING else None,
            query="shoes" if kind is EventType.SEARCH else None,
            session_id=draw(st.sampled_from([None, None, "s", "t"])),
            recommendation_id=draw(st.none() | IDS),
            context={"country": draw(st.sampled_from([None, None, "NL"]))},
        )
        offset = number if not late else draw(st.integers(0, number))
        record = Record(topic, 1, offset, 7, b"u", None)
        found.append(arrival_of(record, event, to_ms(event.event_time), draw(st.sampled_from(["", "country"]))))
    return found


def in_python(value: bytes, events: list[Arrival], rules: Rules, goes_on: bool) -> tuple[bytes, int, list[bytes]]:
    draft = thaw(value)
    if not goes_on:
        draft.caused_by.clear()
    accepted = apply(draft, events, rules)
    told = Feedback(rules.context_field).actions_of(accepted)
    return packed(draft) if accepted else value, len(accepted), told


@given(arrivals(list(EventType), late=True), SETTINGS, SETTINGS, st.data())
@settings(max_examples=400)
def test_it_gives_the_bytes_of_the_fold_in_python_or_none(
    events: list[Arrival], before: StateSettings, after: StateSettings, data: st.DataObject
) -> None:
    value, rules, begin = packed(Draft.of_nothing("u", 1)), Rules.of(before), 0
    while begin < len(events):
        end, goes_on = data.draw(st.integers(begin + 1, len(events))), data.draw(st.booleans())
        want = in_python(value, events[begin:end], rules, goes_on)
        assert Usual(rules).fold(value, events[begin:end], goes_on, True) in (None, want)
        value, begin, rules = want[0], end, Rules.of(after)


@given(arrivals(USUAL, late=False), st.sampled_from([ROOMY, TIGHT]), st.booleans())
def test_what_is_usual_is_folded(events: list[Arrival], bounds: StateSettings, goes_on: bool) -> None:
    rules, value = Rules.of(bounds), packed(Draft.of_nothing("u", 1))
    events = [(*each[:9], None, *each[10:]) for each in events]
    assert Usual(rules).fold(value, events, goes_on, True) == in_python(value, events, rules, goes_on)


def test_many_users_are_settled_as_each_by_itself_and_who_is_not_usual_is_left() -> None:
    def acts(user: str, kind: EventType, *numbers: int) -> list[Arrival]:
        return [
            (user, kind.code, f"i{n}", 10**12 + n, None, None, 0, n, 7, None, f"e{n}", 0, "q") for n in numbers
        ]

    rules, told = Rules.of(ROOMY), list[tuple[list[bytes], int]]()
    known = in_python(packed(Draft.of_nothing("b", 2)), acts("b", EventType.VIEW, 1), rules, goes_on=True)[0]
    new = Work("a", b"a", 1, None, acts("a", EventType.VIEW, 1, 2))
    repeats = Work("b", b"b", 2, known, acts("b", EventType.VIEW, 1, 1))
    unusual = Work("c", b"c", 1, None, acts("c", EventType.SEARCH, 1))
    idle = Work("d", b"d", 1, None, [])
    want = in_python(packed(Draft.of_nothing("a", 1)), new.arrivals[:], rules, goes_on=False)
    found = Usual(rules).settle([new, repeats, unusual, idle], lambda *each: told.append(each))
    assert found == (2, [unusual])
    assert (new.value, new.changed, new.arrivals) == (want[0], True, [])
    assert (repeats.value, repeats.changed, repeats.arrivals) == (known, False, [])
    assert (unusual.value, unusual.changed, len(unusual.arrivals)) == (None, False, 1)
    assert (idle.value, idle.changed) == (None, False)
    assert told == [(want[2], 1)]


def test_what_nobody_is_told_of_is_not_encoded_and_what_is_too_long_is_left_to_python() -> None:
    rules, value = Rules.of(ROOMY), packed(Draft.of_nothing("u", 1))

    def click(item_id: str) -> list[Arrival]:
        return [("u", EventType.CLICK.code, item_id, 10**12, None, "r", 0, 1, 7, None, "e", 0, None)]

    short, long = click("i"), click("i" * 10_000)
    want = in_python(value, short, rules, goes_on=False)
    assert len(want[2]) == 1
    assert Usual(rules).fold(value, short, False, True) == want
    assert Usual(rules).fold(value, short, False, False) == (*want[:2], [])
    assert Usual(rules).fold(value, long, False, True) is None


def test_ratings_of_new_items_are_usual_and_search_is_not() -> None:
    rules, value = Rules.of(ROOMY), packed(Draft.of_nothing("u", 1))

    def acts(kind: EventType, count: int) -> list[Arrival]:
        return [
            ("u", kind.code, f"i{n}", 10**12 + n, 4.5, None, 0, n, 7, None, f"e{n}", 0, "q") for n in range(count)
        ]

    ratings = acts(EventType.RATING, 20)
    assert Usual(rules).fold(value, ratings, False, True) == in_python(value, ratings, rules, False)
    assert Usual(rules).fold(value, [*ratings, ratings[0]], False, True) == in_python(value, ratings, rules, False)
    assert Usual(rules).fold(value, acts(EventType.SEARCH, 1), False, True) is None


@given(
    arrivals(USUAL, late=False),
    arrivals([*USUAL, EventType.RATING], late=False, most=12),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 5_000),
)
@settings(max_examples=400)
def test_bytes_that_are_no_state_do_no_harm(
    past: list[Arrival], events: list[Arrival], changes: list[tuple[int, int]], size: int
) -> None:
    rules = Rules.of(TIGHT)
    damaged = bytearray(in_python(packed(Draft.of_nothing("u", 1)), past, rules, True)[0])
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    for value in (bytes(damaged), bytes(damaged[: size % len(damaged)]), bytes(damaged) + b"\x00"):
        found = Usual(rules).fold(value, events, True, True)
        assert found is None or isinstance(found[0], bytes)
