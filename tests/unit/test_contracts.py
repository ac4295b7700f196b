"""What an event may be: everything else is rejected by a sentence, and an unknown field does no harm."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import decode_event, decode_item, encode_json
from streams.contracts import EventType
from streams.contracts.recommendations import recommendation_id

GOOD: dict[str, Any] = {
    "schema_version": 1,
    "event_id": "e1",
    "event_type": "rating",
    "user_id": "u1",
    "item_id": "i1",
    "value": 4,
    "event_time": "2024-05-01T10:00:00+02:00",
}


def test_a_good_event_survives_the_wire() -> None:
    event = decode_event(json.dumps(GOOD))
    assert event.event_type is EventType.RATING
    assert decode_event(encode_json(event)) == event
    assert json.loads(encode_json(event))["schema_version"] == 1


def test_unknown_fields_are_left_alone_and_a_missing_version_is_the_first() -> None:
    others = {name: value for name, value in GOOD.items() if name != "schema_version"}
    assert decode_event(json.dumps({**others, "campaign": {"deep": [1]}})) == decode_event(json.dumps(GOOD))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 2}, "2"),
        ({"event_type": "teleport"}, "teleport"),
        ({"event_id": ""}, "event_id"),
        ({"user_id": "u" * 513}, "user_id"),
        ({"item_id": None}, "needs an item_id"),
        ({"value": None}, "needs a value"),
        ({"event_type": "search"}, "needs a query"),
        ({"event_time": "2024-05-01T10:00:00"}, "event_time"),
        ({"event_time": "yesterday"}, "event_time"),
        ({"event_time": "1492-10-12T00:00:00Z"}, "between 1990 and 2200"),
        ({"quantity": 0}, "quantity"),
        ({"user_id": 7}, "user_id"),
    ],
)
def test_a_bad_event_is_refused_and_told_why(change: dict[str, Any], told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        decode_event(json.dumps({**GOOD, **change}))
    assert told in str(refused.value)


def test_a_search_needs_words_and_no_item() -> None:
    search = {**GOOD, "event_type": "search", "query": "boots", "item_id": None, "value": None}
    assert decode_event(json.dumps(search)).query == "boots"


def test_an_item_needs_only_its_id_and_title() -> None:
    item = decode_item(b'{"item_id": "i1", "title": "Boots"}')
    assert item.available
    assert item.categories == ()


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_decode_errors(data: bytes) -> None:
    try:
        decode_event(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return


def test_a_recommendation_id_is_the_same_on_every_replay_and_differs_by_each_part() -> None:
    first = recommendation_id("u", 1, 2, "m")
    assert first == recommendation_id("u", 1, 2, "m")
    others = [("v", 1, 2, "m"), ("u", 2, 2, "m"), ("u", 1, 3, "m"), ("u", 1, 2, "n"), ("u1", 1, 2, "m")]
    assert len({first, *(recommendation_id(*parts) for parts in others)}) == 1 + len(others)
