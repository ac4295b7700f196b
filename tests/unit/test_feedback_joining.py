"""The joining handler, killed wherever it writes: no example is lost, none differs from the pure join's."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from streams.codec import decode_training_example, encode_json, encode_msgpack
from streams.contracts import (
    ActionBatch,
    Output,
    Recommendation,
    Record,
    Rejected,
    TrainingExample,
    UserAction,
)
from streams.errors import Transient
from streams.feedback.decoding import Erased, decoded, heard
from streams.feedback.joining import Joining
from streams.feedback.tables import AwaitedTable, Change
from streams.topics import RECOMMENDATIONS, TRAINING_EXAMPLES, USER_ACTIONS, dead_letters
from tests.feedback_traffic import SETTINGS, Said, ends, expected, records, traffic

LATER_MS = 10**13


class Power:
    """Fails at the writes whose numbers it was given, before or after they took effect."""

    def __init__(self, cuts: Mapping[int, bool]) -> None:
        self.cuts = cuts
        self._writes = 0

    def write(self) -> tuple[bool, bool]:
        """Return whether this write takes effect, and whether the process dies at it."""
        self._writes += 1
        dies = self._writes in self.cuts
        return not dies or self.cuts[self._writes], dies


class Outbox:
    """Keeps what was delivered."""

    def __init__(self, power: Power) -> None:
        self.delivered: list[Output] = []
        self._power = power

    async def deliver(self, outputs: Iterable[Output]) -> None:
        works, dies = self._power.write()
        if works:
            self.delivered += outputs
        if dies:
            raise Transient("the power went")


class Table:
    """A changelog: what was written is there after a restart."""

    def __init__(self, power: Power) -> None:
        self.held: dict[bytes, bytes] = {}
        self._power = power

    def get(self, key: bytes) -> bytes | None:
        return self.held.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(tuple(self.held.items()))

    def forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            del self.held[key]

    async def write(self, changes: Mapping[bytes, Change]) -> None:
        works, dies = self._power.write()
        if works:
            for key, (_, value) in changes.items():
                if value is None:
                    self.held.pop(key, None)
                else:
                    self.held[key] = value
        if dies:
            raise Transient("the power went")

    def __len__(self) -> int:
        return len(self.held)


def log_of(said: Sequence[Said]) -> list[Record]:
    """Return the records of this traffic as one worker reads them."""
    offsets: dict[tuple[str, int], int] = {}
    found = []
    for output in records(list(said)):
        place = (output.topic, output.partition)
        offset = offsets[place] = offsets.get(place, -1) + 1
        found.append(Record(*place, offset, LATER_MS, output.key, output.value, output.headers))
    return found


async def run(
    log: Sequence[Record], batch: int, cuts: Mapping[int, bool], committed_late: bool
) -> list[TrainingExample]:
    """Feed the log in batches; a death starts a new handler from the table and the last commit.

    In the end both topics move on once more: time begins anew with a handler, and one that was started behind the
    last slate would wait for the next.
    """
    power = Power(cuts)
    table, outbox = Table(power), Outbox(power)
    commits: dict[tuple[str, int], int] = {}
    start = handled = 0
    handler: Joining | None = None
    while handled < len(log):
        if handler is None:
            handler = Joining(
                cast(AwaitedTable, table),
                cast(Any, outbox),
                SETTINGS,
                lambda topic, partition: commits.get((topic, partition)),
            )
            handler.recovered(frozenset(record.partition for record in log))
            handled = start
        some = log[handled : handled + batch]
        try:
            await handler.handle(heard(some))
        except Transient:
            handler = None
            continue
        handled += len(some)
        if not committed_late or handled % (3 * batch) == 0:
            start = handled
            commits.update({(record.topic, record.partition): record.offset + 1 for record in log[:handled]})
    assert handler is not None
    power.cuts = {}
    await handler.handle(heard(msgspec.structs.replace(each, offset=each.offset + len(log)) for each in ENDS))
    return [
        decode_training_example(output.value or b"")
        for output in outbox.delivered
        if output.topic == TRAINING_EXAMPLES
    ]


TRAFFIC = traffic(80)
LOG = log_of([*TRAFFIC, *ends(TRAFFIC)])
ENDS = log_of(ends(TRAFFIC))
EXPECTED = expected(TRAFFIC)


@settings(max_examples=40)
@given(st.dictionaries(st.integers(1, 30), st.booleans(), max_size=6), st.integers(3, 60), st.booleans())
@example({1: False, 11: False}, 27, False)  # dies behind the last slate
def test_dying_at_any_write_loses_no_example_and_makes_no_other(
    cuts: dict[int, bool], batch: int, committed_late: bool
) -> None:
    found = asyncio.run(run(LOG, batch, cuts, committed_late))
    assert {example.example_id: example for example in found} == EXPECTED


def test_states_whose_windows_are_over_leave_the_table_once_their_records_are_committed() -> None:
    said = traffic(600)
    power = Power({})
    table, commits = Table(power), dict[tuple[str, int], int]()
    handler = Joining(
        cast(AwaitedTable, table), cast(Any, Outbox(power)), SETTINGS, lambda *place: commits.get(place)
    )
    handler.recovered(frozenset(range(4)))
    asyncio.run(handler.handle(heard(log_of(said))))
    assert len(table) > 50
    days = [log_of(_days_on(ends(said), day)) for day in range(4)]
    for day in range(2):
        asyncio.run(handler.handle(heard(_from(10_000 * (day + 1), days[day]))))
    assert len(table) > 50, "their windows are over, but their records may be read again"
    commits.update({(topic, number): 50_000 for topic in (USER_ACTIONS, RECOMMENDATIONS) for number in range(4)})
    for day in (2, 3):
        asyncio.run(handler.handle(heard(_from(10_000 * (day + 1), days[day]))))
    assert len(table) == 4


def _from(offset: int, log: Sequence[Record]) -> list[Record]:
    return [msgspec.structs.replace(each, offset=each.offset + offset) for each in log]


def _days_on(said: Sequence[Said], days: int) -> list[Said]:
    """Return the same users' messages once more, so many days later."""
    later = timedelta(hours=20 * days)
    found = []
    for partition, message in said:
        if isinstance(message, UserAction):
            time_ms = message.event_time_ms + later // timedelta(milliseconds=1)
            moved: UserAction | Recommendation = msgspec.structs.replace(
                message, event_time_ms=time_ms, offset=10**9 + days
            )
        else:
            moved = msgspec.structs.replace(
                message,
                last_event_time=message.last_event_time + later,
                recommendation_id=f"{message.user_id} {days}",
                source=msgspec.structs.replace(message.source, offset=10**9 + days),
            )
        found.append(Said(partition, moved))
    return found


def record(topic: str, key: bytes | None, value: bytes | None) -> Record:
    return Record(topic, 0, 0, 0, key, value, ())


ACTION, SLATE = (each.message for each in traffic(1))
assert isinstance(ACTION, UserAction)


@pytest.mark.parametrize(
    ("given_record", "reason"),
    [
        (record(USER_ACTIONS, b"u", encode_msgpack(ActionBatch(1, (ACTION,)))), "key_mismatch"),
        (record(USER_ACTIONS, None, None), "keyless"),
        (record(RECOMMENDATIONS, b"other", encode_json(SLATE)), "key_mismatch"),
        (record(RECOMMENDATIONS, None, encode_json(SLATE)), "keyless"),
        (record(USER_ACTIONS, b"u", b""), "malformed"),
        (record(RECOMMENDATIONS, b"u", b"{"), "malformed"),
        (record(RECOMMENDATIONS, b"u", b"\xff"), "malformed"),
        (record(RECOMMENDATIONS, b"u", b"{}"), "invalid"),
    ],
)
def test_what_cannot_be_used_is_a_value_that_keeps_the_record(given_record: Record, reason: str) -> None:
    found = decoded(given_record)
    assert isinstance(found, Rejected)
    assert (found.record, found.reason) == (given_record, reason)


@given(st.sampled_from([USER_ACTIONS, RECOMMENDATIONS]), st.binary(max_size=30))
def test_no_bytes_raise(topic: str, value: bytes) -> None:
    assert isinstance(decoded(record(topic, b"k", value)), Rejected), (
        "none of these names the key, or may have one"
    )


@given(st.binary(max_size=30))
def test_no_bytes_without_a_key_raise(value: bytes) -> None:
    assert isinstance(decoded(record(USER_ACTIONS, None, value)), Rejected | ActionBatch)


@pytest.mark.parametrize("wrong", [{"event_type": 99}, {"event_type": -1}, {"topic": 2}, {"topic": -1}])
def test_an_unknown_kind_or_source_of_action_is_refused(wrong: dict[str, int]) -> None:
    assert isinstance(ACTION, UserAction)
    strange = msgspec.structs.replace(ACTION, **wrong)
    found = decoded(record(USER_ACTIONS, None, encode_msgpack(ActionBatch(1, (ACTION, strange)))))
    assert isinstance(found, Rejected)
    assert found.reason == "invalid"


@pytest.mark.parametrize("topic", [USER_ACTIONS, RECOMMENDATIONS])
def test_a_null_of_either_topic_erases_its_user(topic: str) -> None:
    assert decoded(record(topic, b"u", None)) == Erased("u", None)


def test_bad_bytes_go_whole_to_their_dead_letter_topic_and_are_counted_by_reason() -> None:
    outbox = Outbox(Power({}))
    handler = Joining(cast(AwaitedTable, Table(Power({}))), cast(Any, outbox), SETTINGS, lambda *_: None)
    handler.recovered(frozenset({0}))
    labels = {"topic": USER_ACTIONS, "reason": "malformed"}
    before = REGISTRY.get_sample_value("headrace_feedback_rejected_total", labels) or 0
    asyncio.run(handler.handle(heard([record(USER_ACTIONS, b"u", b"\x99\x01")])))
    (letter,) = outbox.delivered
    assert (letter.topic, letter.key, letter.value) == (dead_letters(USER_ACTIONS), b"u", b"\x99\x01")
    assert REGISTRY.get_sample_value("headrace_feedback_rejected_total", labels) == before + 1
