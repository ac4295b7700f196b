"""Reads what is in the log, and waits until a group has read all of it."""

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streams.arrivals import place_of, record_of
from streams.codec import decode_user_state
from streams.contracts import Record, UserState
from streams.kafka import consumer, partition_count, whole
from streams.reading import read_to_end
from streams.settings import Settings
from streams.topics import CLICKSTREAM, REKEYED, USER_STATE, dead_letters
from streams.worker import group_of
from tests.integration.faults.fleet import Fleet, wait_until
from tests.integration.faults.reference import Verdict, compare, fold_log

SOURCES = (CLICKSTREAM, REKEYED)


def records(settings: Settings, topic: str) -> list[Record]:
    """Return every committed record of a topic, each partition in its order."""
    count = partition_count(settings, topic)
    reader = consumer(settings, None)
    reader.assign(whole(topic, count, OFFSET_BEGINNING))
    found: list[Record] = []
    left = set(range(count))
    while left:
        first = reader.poll(5)
        for message in (first, *reader.consume(10_000, 0)) if first is not None else ():
            error = message.error()
            if error is None:
                found.append(record_of(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(place_of(message)[1])
    reader.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def states(settings: Settings) -> dict[bytes, UserState]:
    """Return the newest state of every user."""
    found: dict[bytes, bytes | None] = {}
    partitions = range(partition_count(settings, USER_STATE))
    read_to_end(settings, USER_STATE, partitions, lambda _, key, value: found.__setitem__(key, value))
    return {key: decode_user_state(value) for key, value in found.items() if value is not None}


def wait_settled(settings: Settings, fleet: Fleet) -> None:
    """Return when the state workers have committed everything that is in their sources."""
    # First the one, then what it was passed on to.
    for topic in SOURCES:
        last = {record.partition: record.offset for record in records(settings, topic)}
        reader = consumer(settings, group_of("state", settings))

        def settled(topic: str = topic, last: dict[int, int] = last, reader: Consumer = reader) -> bool:
            fleet.tend()
            return _settled(reader, topic, last)

        wait_until(settled, f"{topic} was read to its end", fleet.tails, every_seconds=0.2)
        reader.close()


def length(settings: Settings, topic: str) -> int:
    """Return how many offsets the partitions of a topic have given out."""
    reader = consumer(settings, None)
    ends = [
        reader.get_watermark_offsets(place, 10)[1] for place in whole(topic, partition_count(settings, topic), 0)
    ]
    reader.close()
    return sum(ends)


def _settled(reader: Consumer, topic: str, last: dict[int, int]) -> bool:
    places = [TopicPartition(topic, number) for number in last]
    try:
        done = reader.committed(places, 10) if places else []
    except KafkaException:  # a transaction of a worker that died is still open, or the coordinator is loading
        return False
    return all(place.offset > last[place.partition] for place in done)


def judge(settings: Settings) -> Verdict:
    """Hold what is in the log to the reference fold over it."""
    partitions = partition_count(settings, CLICKSTREAM)
    rekeyed = records(settings, REKEYED)
    expected = fold_log(settings, [*records(settings, CLICKSTREAM), *rekeyed], partitions)
    return compare(expected, states(settings), records(settings, dead_letters(CLICKSTREAM)), rekeyed)
