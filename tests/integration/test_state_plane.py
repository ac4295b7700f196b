"""The state plane on the embedded broker and on real Kafka: nothing lost, nothing twice, bad bytes kept whole."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition

from encoder.identity import encoder_id
from streams.codec import decode_user_state, encode_json
from streams.contracts import Event, EventType, Source, UserState
from streams.delivery import AtLeastOnce
from streams.kafka import consumer, producer
from streams.loop import Loop
from streams.partitioner import owner
from streams.provision import co_partitions, create_topics
from streams.reading import read_to_end
from streams.replay import letters, replay
from streams.settings import Settings, load_settings
from streams.settings.state import RatingScale, StateSettings
from streams.state.fold import fold
from streams.state.transform import StateTransform
from streams.topics import CLICKSTREAM, USER_STATE, dead_letters
from streams.transform import Transform
from streams.worker import group_of
from tests.integration.poison import BAD

SECONDS = 90.0
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(broker: str) -> Settings:
    made = load_settings(
        kafka={
            "bootstrap_servers": broker,
            "group_prefix": f"test-{time.time_ns()}",
            "session_timeout_seconds": 6,  # the embedded broker waits as long before a group may be joined again
        }
    )
    create_topics(made, encoder_id(made.encoder))
    return made


class Crash(Exception):
    """The worker dies here."""


class Dying(AtLeastOnce):
    """Dies between delivery and commit once it is told to."""

    doomed = False

    def commit(self, offsets: Any) -> None:
        if offsets and self.doomed:
            raise Crash
        super().commit(offsets)


@contextmanager
def worker(settings: Settings) -> Iterator[tuple[Loop[Any], Dying]]:
    """Yield a state worker's loop and its delivery; it leaves the group in the end."""
    group = group_of("state", settings)
    reader = consumer(settings, group)
    delivery = Dying(reader, producer(settings), 30)
    transform: Transform[Any] = StateTransform(settings, co_partitions(settings))
    loop = Loop(transform, reader, group, delivery, settings)
    yield loop, delivery
    loop.close()


def turn_until(loop: Loop[Any], done: Callable[[], bool]) -> None:
    """Turn the loop until `done`."""
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        loop.turn()


def events(count: int) -> list[Event]:
    draw = random.Random(7)
    return [
        Event(
            event_id=f"e{number}",
            event_type=draw.choice([EventType.VIEW, EventType.CLICK, EventType.PURCHASE]),
            user_id=f"u{draw.randrange(40)}",
            item_id=f"i{draw.randrange(90)}",
            event_time=START + timedelta(seconds=draw.randrange(10_000)),
        )
        for number in range(count)
    ]


def send(client: Producer, batch: Iterable[Event]) -> None:
    for event in batch:
        client.produce(CLICKSTREAM, key=event.user_id, value=encode_json(event))
    assert client.flush(30) == 0


def states(settings: Settings) -> Iterator[UserState]:
    found: dict[bytes, bytes | None] = {}
    read_to_end(settings, USER_STATE, range(4), lambda _, key, value: found.__setitem__(key, value))
    return (decode_user_state(value) for value in found.values() if value is not None)


def counted(settings: Settings) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return what each user's newest state says: events counted, and the items of the history."""
    return {
        state.user_id: (state.event_count, tuple(past.item_id for past in state.history))
        for state in states(settings)
    }


def expected(settings: Settings, log: list[Event]) -> dict[str, tuple[int, tuple[str, ...]]]:
    folded: dict[str, UserState] = {}
    for offset, event in enumerate(log):
        source = Source(topic=CLICKSTREAM, partition=0, offset=offset, create_time_ms=0)
        folded[event.user_id] = fold(folded.get(event.user_id), event, source, settings.state)
    return {
        user: (state.event_count, tuple(past.item_id for past in state.history)) for user, state in folded.items()
    }


def test_a_crash_between_delivery_and_commit_loses_nothing_and_counts_nothing_twice(settings: Settings) -> None:
    log, client = events(900), producer(settings)
    send(client, log[:300])
    with worker(settings) as (loop, delivery):
        turn_until(loop, lambda: counted(settings) == expected(settings, log[:300]))
        delivery.doomed = True
        send(client, log[300:600])
        with pytest.raises(Crash):
            turn_until(loop, lambda: False)
    send(client, log[600:])
    with worker(settings) as (loop, _):
        turn_until(loop, lambda: counted(settings) == expected(settings, log))


def test_bad_bytes_of_many_kinds_arrive_whole_with_reason_and_place(settings: Settings) -> None:
    client = producer(settings)
    for number, value in enumerate(BAD):
        client.produce(CLICKSTREAM, key=f"bad{number}", value=value, headers={"trace": b"\x00\x01"})
    client.produce(CLICKSTREAM, key="tombstone", value=None)
    send(client, events(1))
    found: dict[bytes, bytes | None] = {}
    topic = dead_letters(CLICKSTREAM)

    def complete() -> bool:
        read_to_end(settings, topic, range(4), lambda _, key, value: found.__setitem__(key, value))
        return len(found) == len(BAD) + 1

    with worker(settings) as (loop, _):
        turn_until(loop, complete)
    assert found == {b"tombstone": None} | {f"bad{n}".encode(): value for n, value in enumerate(BAD)}
    reader = consumer(settings, None, enable_partition_eof=False)
    reader.assign([TopicPartition(topic, number, 0) for number in range(4)])
    letter = reader.poll(20)
    assert letter is not None
    headers = dict(letter.headers() or [])
    assert {"__streams.errors.exception", "__streams.errors.message", "__streams.errors.offset"} <= headers.keys()
    assert headers["__streams.errors.topic"] == CLICKSTREAM.encode()
    assert letter.key() == b"tombstone" or headers["trace"] == b"\x00\x01"
    reader.close()


def test_dead_letters_are_sent_again_once_and_count_once(settings: Settings) -> None:
    client, topic = producer(settings), dead_letters(CLICKSTREAM)
    rating = events(1)[0]
    rating = msgspec.structs.replace(rating, event_type=EventType.RATING, value=9.0)
    send(client, [rating])
    client.produce(CLICKSTREAM, key="bad", value=b"{", headers={"trace": b"\x00\x01"})
    huge = b'{"context": "' + b"x" * 5_000_000 + b'"}'
    client.produce(CLICKSTREAM, key="huge", value=huge)
    assert client.flush(30) == 0
    with worker(settings) as (loop, _):
        turn_until(loop, lambda: waiting(settings) == ["malformed", "out_of_scale", "oversize"])
    (kept,) = (letter.record.value for letter, _ in letters(settings, CLICKSTREAM) if letter.reason == "oversize")
    assert kept == huge

    wider = settings.model_copy(update={"state": StateSettings(rating_scale=RatingScale(low=1, high=10))})
    assert replay(settings, CLICKSTREAM, lambda letter: letter.reason != "oversize") == (2, 0, 0)
    assert replay(settings, CLICKSTREAM, lambda letter: letter.reason != "oversize") == (0, 2, 0)
    with worker(wider) as (loop, _):
        turn_until(loop, lambda: len(waiting(settings)) == 2)
        turn_until(loop, lambda: counted(settings) == {rating.user_id: (1, (rating.item_id or "",))})
    again = [
        letter for letter, done in letters(settings, CLICKSTREAM) if not done and letter.reason == "malformed"
    ]
    assert [(each.attempts, each.record.key, each.record.value) for each in again] == [(1, b"bad", b"{")]
    assert again[0].original[0] == ("trace", b"\x00\x01")
    assert again[0].record.topic == topic


def waiting(settings: Settings) -> list[str]:
    """Return the reasons of the letters that were not sent again."""
    return sorted(letter.reason for letter, done in letters(settings, CLICKSTREAM) if not done)


def test_librdkafka_puts_keys_where_we_look_for_them(settings: Settings) -> None:
    placed: dict[bytes, int] = {}

    def note(error: object, message: Any) -> None:
        assert error is None
        placed[message.key()] = message.partition()

    client = producer(settings)
    keys = [str(number).encode() * (number % 5 + 1) for number in range(60)]
    for key in keys:
        client.produce(CLICKSTREAM, key=key, value=b"x", on_delivery=note)
    assert client.flush(30) == 0
    assert placed == {key: owner(key, 4) for key in keys}
