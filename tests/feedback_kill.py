"""Kills the feedback worker again and again while traffic flows, and compares what it wrote with the pure join."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaException, Producer, TopicPartition

from streams.clock import wall_seconds
from streams.codec import decode_action_batch, decode_item_trend, decode_training_example
from streams.contracts import ItemTrend, Output, TrainingExample
from streams.feedback.trends import activities, trend_after
from streams.kafka import consumer, producer
from streams.reading import read_to_end, records_to_end
from streams.settings import Settings
from streams.topics import ITEM_TRENDS, RECOMMENDATIONS, TRAINING_EXAMPLES, USER_ACTIONS
from tests.feedback_traffic import PARTITIONS, SETTINGS, Said, ends, expected, records
from tests.feedback_worker import Worker
from tests.same_trends import same_trend

SECONDS = 120.0
_SOURCES = (USER_ACTIONS, RECOMMENDATIONS)
_CHUNK = 200


class Survived(NamedTuple):
    """What is on the topics in the end, against the pure join.

    Attributes:
        lost: outcomes and examples that are missing.
        doubled: outcomes and examples that are too many.
        trends_wrong: items whose decayed counts differ.
    """

    lost: int
    doubled: int
    trends_wrong: int
    kills: int


def survive(settings: Settings, said: Sequence[Said], kills: int, worker: Worker) -> Survived:
    """Send traffic, kill the worker `kills` times on the way, and compare in the end."""
    client = producer(settings, **{"transactional.id": f"traffic-{settings.kafka.group_prefix}"})
    client.init_transactions(30)
    chunks = [list(said[start : start + _CHUNK]) for start in range(0, len(said), _CHUNK)]
    kill_at = {len(chunks) * (number + 1) // (kills + 1) for number in range(kills)}
    for number, chunk in enumerate(chunks):
        send(client, list(records(chunk)))
        if number in kill_at:
            # As soon as it commits some of this: it is in the middle of the rest, or just done.
            wait_until(partial(_moved, settings, handled(settings)), worker)
            worker.restart()
    send(client, list(records(ends(list(said)))))
    want = expected(list(said))
    while left := lag(settings):  # cheap to ask for; the examples are read whole
        wait_until(lambda left=left: lag(settings) < left, worker)  # type: ignore[misc]
    wait_until(lambda: len(examples(settings)) >= len(want), worker)
    lost, doubled = differences(want, examples(settings))
    return Survived(lost, doubled, trends_wrong(settings), len(kill_at))


def _moved(settings: Settings, before: int) -> bool:
    return handled(settings) > before


def send(client: Producer, outputs: Sequence[Output], commit: bool = True) -> None:
    """Send records to their partitions in one transaction."""
    client.begin_transaction()
    for output in outputs:
        client.produce(
            output.topic,
            value=output.value,
            key=output.key,
            partition=output.partition,
            headers=list(output.headers),
        )
        client.poll(0)
    client.commit_transaction(30) if commit else client.abort_transaction(30)


def handled(settings: Settings) -> int:
    """Return the sum of the offsets that the feedback group has committed."""
    return sum(max(0, found.offset) for found in _committed(settings))


def lag(settings: Settings) -> int:
    """Return how many offsets lie between the group's commits and the ends; markers of transactions left out."""
    reader = consumer(settings, None)
    try:
        found = 0
        for place in _committed(settings):
            low, high = reader.get_watermark_offsets(place, timeout=10)
            found += max(0, high - max(place.offset, low) - 1)
        return found
    finally:
        reader.close()


def examples(settings: Settings) -> dict[str, TrainingExample]:
    """Return the newest version of every example, as a reader of the topic keeps it."""
    found: dict[str, TrainingExample] = {}

    def keep(_: int, key: bytes, value: bytes | None) -> None:
        example = decode_training_example(value or b"")
        assert example.user_id.encode() == key
        found[example.example_id] = example

    read_to_end(settings, TRAINING_EXAMPLES, range(PARTITIONS), keep)
    return found


def differences(want: dict[str, TrainingExample], got: dict[str, TrainingExample]) -> tuple[int, int]:
    """Return how much of `want` is missing in `got`, and how much `got` has too much."""
    lost = len(want.keys() - got.keys())
    doubled = len(got.keys() - want.keys())
    for name in want.keys() & got.keys():
        for kind in want[name].outcomes.keys() | got[name].outcomes.keys():
            more = got[name].outcomes.get(kind, 0) - want[name].outcomes.get(kind, 0)
            lost, doubled = lost + max(0, -more), doubled + max(0, more)
        if want[name].evidence != got[name].evidence:
            lost += 1
    return lost, doubled


def trends_wrong(settings: Settings) -> int:
    """Return how many trends of an item in a partition are not the pure function of the actions on the topic."""
    want: dict[tuple[int, bytes], ItemTrend] = {}
    got: dict[tuple[int, bytes], ItemTrend] = {}

    for record in records_to_end(settings, USER_ACTIONS, range(PARTITIONS)):
        try:
            message = decode_action_batch(record.value or b"")
        except msgspec.DecodeError:
            continue  # bad bytes that a test has sent: they belong into no trend
        for activity in activities(message.actions):
            place = record.partition, activity.item_id.encode()
            now_ms, most = int(wall_seconds() * 1000), SETTINGS.contexts_per_item
            want[place] = trend_after(want.get(place), activity, record.offset, now_ms, most)

    def keep(partition: int, key: bytes, value: bytes | None) -> None:
        got[partition, key] = decode_item_trend(value or b"")

    read_to_end(settings, ITEM_TRENDS, range(PARTITIONS), keep)
    differ = sum(key not in got or not same_trend(want[key], got[key], 1e-6) for key in want)
    return differ + len(got.keys() - want.keys())


def wait_until(holds: Callable[[], bool], worker: Worker) -> None:
    """Return when it holds; fail after a while, or when the worker died by itself."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert worker.process.poll() is None, worker.log[-3_000:]
        assert time.monotonic() < deadline, worker.log[-3_000:]
        time.sleep(0.2)


def _committed(settings: Settings) -> list[TopicPartition]:
    group = consumer(settings, f"{settings.kafka.group_prefix}.feedback")
    places = [TopicPartition(topic, number) for topic in _SOURCES for number in range(PARTITIONS)]
    deadline = time.monotonic() + SECONDS
    try:
        while True:
            try:
                return list(group.committed(places, 10))
            except KafkaException:  # a broker that has just started is still looking for its coordinators
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    finally:
        group.close()
