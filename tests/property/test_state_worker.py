"""Laws of the state worker as a whole, without a broker: any bytes in, any batches, any refusals, any crashes."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.codec import decode_action_batch, decode_user_state
from streams.contracts import EventType, Output, Record, Rejected, UserState
from streams.partitioner import owner
from streams.settings import load_settings
from streams.state.fold import next_version
from streams.state.intake import Message
from streams.state.transform import StateTransform
from streams.topics import CLICKSTREAM, ERASURES, REKEYED, USER_ACTIONS, USER_STATE

PARTITIONS = 2
CREATED_MS = 1_716_000_000_000
SETTINGS = load_settings(state={"history_length": 3, "seen_length": 4, "duplicate_window": 30})
KINDS = [kind.value for kind in EventType]
numbers = st.integers(0, 59)
kinds = st.sampled_from(KINDS)


def worker() -> StateTransform:
    made = StateTransform(SETTINGS, PARTITIONS, clock=lambda: CREATED_MS / 1000)
    made.assigned(range(PARTITIONS))
    return made


def event(number: int, user: str, second: int, kind: str, item: int) -> bytes:
    return json.dumps(
        {
            "event_id": f"e{number}",
            "event_type": kind,
            "user_id": user,
            "item_id": f"i{item}",
            "event_time": f"2024-05-01T10:00:{second:02d}Z",
            "value": 4,
            "query": "boots",
        }
    ).encode()


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Return clicks of three users and erasures, in the order in which one worker reads them."""
    log: list[Record] = []
    offsets: Counter[tuple[str, int]] = Counter()
    for number in range(draw(st.integers(0, 14))):
        user = draw(st.sampled_from(["a", "b", "c"]))
        key = user.encode()
        if draw(st.integers(0, 5)) == 0:
            request = {"erasure_id": f"x{number}", "user_id": user, "requested_at": "2024-05-02T00:00:00Z"}
            topic, value = ERASURES, json.dumps(request).encode()
        else:
            again = draw(st.integers(0, 5)) == 0  # a producer's retry
            topic = draw(st.sampled_from([CLICKSTREAM, CLICKSTREAM, REKEYED]))
            value = event(number - again, user, draw(numbers), draw(kinds), draw(st.integers(0, 6)))
        place = (topic, owner(key, PARTITIONS))
        log.append(Record(*place, offsets[place], CREATED_MS, key, value))
        offsets[place] += 1
    return log


def messages(transform: StateTransform, log: Sequence[Record]) -> list[Message]:
    decoded = [transform.decode(record) for record in log]
    return [message for message in decoded if not isinstance(message, Rejected)]


def states(transform: StateTransform) -> dict[bytes, UserState]:
    return {
        key: next_version(decode_user_state(value))
        for number in range(PARTITIONS)
        for key, value in transform._store.items(number)
    }


def told(outputs: Sequence[Output]) -> Counter[Any]:
    """Return the actions that were published, by user; their order within a user is the log's."""
    batches = [decode_action_batch(out.value) for out in outputs if out.topic == USER_ACTIONS and out.value]
    return Counter((act.user_id, act.topic, act.offset) for batch in batches for act in batch.actions)


@given(logs(), st.data())
def test_batches_and_refusals_show_neither_in_the_states_nor_in_what_is_told(
    log: list[Record], data: st.DataObject
) -> None:
    plain, cut = worker(), worker()
    once: list[Output] = []
    for message in messages(plain, log):
        once += plain.handle([message])
        plain.kept({})
    outputs: list[Output] = []
    left = messages(cut, log)
    while left:
        refused, size = data.draw(st.tuples(st.integers(0, len(left)), st.integers(1, len(left))))
        if refused:
            list(cut.handle(left[:refused]))
            cut.abandoned()
        outputs += cut.handle(left[:size])
        cut.kept({})
        left = left[size:]
    assert states(cut) == states(plain)
    assert told(outputs) == told(once)


@given(logs(), st.data())
def test_the_log_of_states_restores_a_worker_that_goes_on_as_if_nothing_had_been(
    log: list[Record], data: st.DataObject
) -> None:
    before, crash = worker(), data.draw(st.integers(0, len(log)))
    published: list[Output] = []
    for message in messages(before, log[:crash]):
        published += before.handle([message])
        before.kept({})
    after = worker()
    for out in published:
        if out.topic == USER_STATE and out.key is not None:
            after._store.load(out.partition, out.key, out.value)
    assert states(after) == states(before)
    for message in messages(before, log[crash:]):
        for each in (before, after):
            list(each.handle([message]))
            each.kept({})
    assert states(after) == states(before)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    value = bytearray(event(1, "u", 1, draw(kinds), 1))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=6))
    return bytes(value)


@given(
    st.sampled_from([CLICKSTREAM, REKEYED, ERASURES]),
    st.integers(-1, 2**42),
    st.none() | st.binary(max_size=8),
    st.none() | st.binary(max_size=120) | spoilt(),
)
def test_any_bytes_are_an_event_or_an_erasure_or_rejected_whole_and_nothing_raises(
    topic: str, timestamp_ms: int, key: bytes | None, value: bytes | None
) -> None:
    transform = worker()
    record = Record(topic, 0, 5, timestamp_ms, key, value)
    message = transform.decode(record)
    if isinstance(message, Rejected):
        assert message.record == record
        assert message.reason.isidentifier()
        assert message.detail
        return
    for out in transform.handle([message]):
        if out.topic == USER_STATE and out.value is not None:
            decode_user_state(out.value)
