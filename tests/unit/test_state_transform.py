"""The state worker's transform, without a broker: a store that is open, records in, records out."""

import json
from typing import Any

import pytest

from streams.codec import decode_user_state
from streams.contracts import Output, Record, Rejected
from streams.dead_letters import dead_letter
from streams.partitioner import owner
from streams.settings import Settings
from streams.state.transform import Accepted, StateTransform
from streams.topics import CLICKSTREAM, REKEYED, USER_STATE, dead_letters

PARTITIONS = 4
HOME = owner(b"u1", PARTITIONS)


@pytest.fixture
def transform() -> StateTransform:
    made = StateTransform(Settings(), PARTITIONS)
    made.assigned(range(PARTITIONS))
    return made


def record(offset: int = 0, *, topic: str = CLICKSTREAM, partition: int = HOME, **change: Any) -> Record:
    fields = {
        "event_id": f"e{offset}",
        "event_type": "view",
        "user_id": "u1",
        "item_id": f"i{offset}",
        "event_time": "2024-05-01T10:00:00Z",
        **change,
    }
    return Record(topic, partition, offset, 1_700_000_000_000, b"u1", json.dumps(fields).encode())


def run(transform: StateTransform, *records: Record) -> list[Output]:
    decoded = [transform.decode(each) for each in records]
    return list(transform.handle([each for each in decoded if isinstance(each, Accepted)]))


def test_a_user_is_published_once_a_batch_with_all_its_causes(transform: StateTransform) -> None:
    outputs = run(transform, record(0), record(1), record(2))
    assert [(out.topic, out.partition, out.key) for out in outputs] == [(USER_STATE, HOME, b"u1")]
    state = decode_user_state(outputs[0].value or b"")
    assert state.caused_by == ("e0", "e1", "e2")
    assert (state.source.offset, state.source.create_time_ms) == (2, 1_700_000_000_000)


def test_a_replayed_batch_publishes_nothing(transform: StateTransform) -> None:
    batch = [record(0), record(1)]
    assert run(transform, *batch)
    assert run(transform, *batch) == []


def test_the_next_batch_names_only_its_own_causes(transform: StateTransform) -> None:
    run(transform, record(0))
    (output,) = run(transform, record(1))
    assert decode_user_state(output.value or b"").caused_by == ("e1",)


@pytest.mark.parametrize(
    "stray",
    [
        record(0, partition=(HOME + 1) % PARTITIONS),
        record(0)._replace(key=None),
        record(0)._replace(key=b"someone else"),
    ],
)
def test_a_stray_record_is_passed_on_untouched_to_its_owner(transform: StateTransform, stray: Record) -> None:
    (output,) = run(transform, stray)
    assert (output.topic, output.partition, output.key) == (REKEYED, HOME, b"u1")
    assert (output.value, output.timestamp_ms) == (stray.value, stray.timestamp_ms)
    passed_on = record(9, topic=REKEYED)._replace(value=output.value)
    (state,) = run(transform, passed_on)
    assert state.topic == USER_STATE


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "invalid"),
        (b'{"event_id": "e"}', "invalid"),
        (record(0, event_type="rating", value=9).value, "out_of_scale"),
    ],
)
def test_bytes_that_cannot_be_used_become_a_whole_dead_letter(
    transform: StateTransform, value: bytes | None, reason: str
) -> None:
    bad = record(3)._replace(value=value, headers=(("trace", b"1"),))
    rejected = transform.decode(bad)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    letter = dead_letter(rejected)
    assert (letter.topic, letter.partition) == (dead_letters(CLICKSTREAM), HOME)
    assert (letter.key, letter.value, letter.timestamp_ms) == (bad.key, bad.value, bad.timestamp_ms)
    assert letter.headers[0] == ("trace", b"1")
    assert dict(letter.headers)["__streams.errors.offset"] == b"3"
