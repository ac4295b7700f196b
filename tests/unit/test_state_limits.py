"""A user's state stays small, whatever the user does."""

from datetime import UTC, datetime, timedelta

from streams.codec import decode_user_state, encode_msgpack
from streams.contracts import Event, EventType, Record
from streams.settings.state import StateSettings
from streams.state.arrivals import Arrival, arrival_of
from streams.state.draft import Draft
from streams.state.fold import apply
from streams.state.rules import Rules
from streams.topics import CLICKSTREAM, USER_STATE, all_topics

START = datetime(2024, 1, 1, tzinfo=UTC)
START_MS = 1_704_067_200_000
RULES = Rules.of(StateSettings())


def arrivals(begin: int, end: int, item: str, kind: EventType = EventType.VIEW) -> list[Arrival]:
    return [
        arrival_of(
            Record(CLICKSTREAM, 0, n, START_MS, b"u", None),
            Event(
                event_id=f"event-{n}",
                event_type=kind,
                user_id="u",
                event_time=START + timedelta(seconds=n),
                item_id=item.format(n % 3_000),
            ),
            START_MS + n * 1_000,
            "",
        )
        for n in range(begin, end)
    ]


def test_a_user_with_a_million_events_has_a_state_of_one_size() -> None:
    draft, sizes = Draft.of_nothing("u", 0), []
    for begin in range(0, 1_000_000, 20_000):
        apply(draft, arrivals(begin, begin + 20_000, "item-{:06d}"), RULES)
        sizes.append(len(encode_msgpack(draft)))
    state = draft.frozen()
    assert state.event_count == 1_000_000
    assert [past.event_time_ms for past in state.history] == [
        START_MS + n * 1_000 for n in range(999_950, 1_000_000)
    ]
    assert max(sizes) <= 16_384, "50 + 1,000 ids of 11 bytes, and little else"
    assert max(sizes[1:]) < 1.4 * min(sizes[1:])


def test_the_longest_ids_do_not_make_a_state_that_its_topic_refuses() -> None:
    limit = next(topic.max_message_bytes for topic in all_topics("e") if topic.name == USER_STATE)
    settings = StateSettings(history_length=1_000, seen_length=20_000, duplicate_window=10_000, id_bytes=393_216)
    for settings_ in (settings, StateSettings()):
        draft = Draft.of_nothing("\U0001f600" * 512, 0)
        item = "\U0001f600" * 506 + "{:06d}"
        for begin in range(0, 6_000, 500):
            apply(draft, arrivals(begin, begin + 500, item), Rules.of(settings_))
        size = len(encode_msgpack(draft))
        assert size < limit
        state = decode_user_state(encode_msgpack(draft))
        assert len(state.history) == min(settings_.history_length, settings_.id_bytes // 2_031)
        assert (
            size < 2 * settings_.id_bytes + 11 * settings_.history_length + 8 * settings_.duplicate_window + 60_000
        )


def test_a_user_with_twenty_events_takes_less_than_a_kilobyte_in_memory() -> None:
    draft = Draft.of_nothing("user-000001", 0)
    for begin in range(0, 20, 2):
        draft.caused_by.clear()
        apply(draft, arrivals(begin, begin + 2, "item-{:06d}"), RULES)
    value, key = encode_msgpack(draft), b"user-000001"
    overhead = value.__sizeof__() - len(value) + key.__sizeof__() + 100  # 100: a slot of a dict, half full
    assert len(value) + overhead < 1_024
