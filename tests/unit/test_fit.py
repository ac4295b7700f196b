"""A replay that the embedded broker would silently forget, or that nothing would answer, is refused."""

import re
from datetime import UTC, datetime

import pytest

from streams.contracts import Event, EventType, Item
from streams.embedded import PARTITION_BYTES
from streams.errors import DataError, SettingError
from streams.settings import load_settings
from streams.topics import CLICKSTREAM
from workers.demo.fit import BYTES_AN_EVENT, Footprint, check_answers, check_fit
from workers.demo.plan import plan, replay_length

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def events(count: int, users: int) -> list[Event]:
    return [
        Event(
            event_id=str(number),
            event_type=EventType.VIEW,
            user_id=str(number % users),
            item_id="1",
            event_time=MOMENT,
        )
        for number in range(count)
    ]


def items(count: int) -> list[Item]:
    return [Item(item_id=str(number), title="t") for number in range(count)]


def test_a_small_replay_fits() -> None:
    check_fit(events(2_000, 100), 1_000, items(100))


def test_the_refusal_names_how_many_events_fit() -> None:
    stream = events(40_000, 500)
    with pytest.raises(DataError, match="real Kafka") as caught:
        check_fit(stream, 20_000, [])
    found = re.search(r"--events (\d+)", str(caught.value))
    assert found is not None
    most = int(found[1])
    check_fit(stream, most, [])
    with pytest.raises(DataError):
        check_fit(stream, most + 1, [])


def test_one_user_fills_one_partition() -> None:
    most = PARTITION_BYTES // max(BYTES_AN_EVENT.values())
    stream = events(4 * most, 1)
    check_fit(stream, most, [])
    with pytest.raises(DataError, match=f"--events {most},"):
        check_fit(stream, most + 1, [])


def test_the_history_of_those_who_come_back_is_counted() -> None:
    who_come_back = Footprint(events(25_000, 1)).bytes(10)
    assert who_come_back == 25_000 * BYTES_AN_EVENT[CLICKSTREAM]
    strangers = [*events(25_000, 1), *(event for event in events(20, 2) if event.user_id == "1")]
    assert Footprint(strangers).bytes(10) == 10 * max(BYTES_AN_EVENT.values())


def test_a_large_catalogue_is_refused() -> None:
    with pytest.raises(DataError, match="catalogue of 12,000 items"):
        check_fit(events(100, 10), 10, items(12_000))


def test_the_plan_cuts_by_time_and_keeps_the_history_of_those_who_come_back() -> None:
    stream = events(10, 4)
    older, history, replayed = plan(stream, 2)
    assert [event.event_id for event in replayed] == ["8", "9"]
    assert len(older) == 8
    assert [event.event_id for event in history] == ["0", "1", "4", "5"]


@pytest.mark.parametrize(
    ("section", "value"), [("privacy", {"pseudonym_key": "k" * 32}), ("ranking", {"publish": "changed"})]
)
def test_settings_under_which_no_slate_would_answer_are_refused(section: str, value: dict[str, str]) -> None:
    check_answers(load_settings())
    with pytest.raises(SettingError, match=f"{section}.{next(iter(value))}"):
        check_answers(load_settings(**{section: value}))


def test_half_of_a_small_data_set_is_left_to_train_on() -> None:
    assert replay_length(None, 6_000) == 3_000
    assert replay_length(None, 100_000) == 10_000
    assert replay_length(50, 100) == 50
    with pytest.raises(DataError, match="--events 50"):
        replay_length(51, 100)
    with pytest.raises(DataError):
        replay_length(None, 1)
