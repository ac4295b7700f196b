"""Whether the embedding worker has read the catalogue to its end: a model knows no item that has no vector yet."""

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.arrivals import place_of
from streams.clock import monotonic_seconds, sleep_seconds
from streams.errors import BrokerError
from streams.kafka import consumer, partition_count
from streams.settings import Settings
from streams.topics import CATALOGUE
from streams.worker import group_of

_CALL_SECONDS = 10.0
_AGAIN_SECONDS = 0.2
MOST = 10_000
"""So many are counted, and no more."""


def unread_items(settings: Settings, patience_seconds: float = 3.0) -> int:
    """Return how many records of the catalogue the embedding worker has not committed; about `MOST` at most.

    Args:
        patience_seconds: how long to wait for it to be none: a vector can be read before its offset is committed.

    Raises:
        BrokerError: the broker does not tell.
    """
    places = [TopicPartition(CATALOGUE, number) for number in range(partition_count(settings, CATALOGUE))]
    reader = consumer(settings, group_of("embedding", settings))
    deadline = monotonic_seconds() + patience_seconds
    try:
        while left := _behind(reader, places):
            if monotonic_seconds() > deadline:
                return left
            sleep_seconds(_AGAIN_SECONDS)
        return 0
    except KafkaException as error:
        raise BrokerError(
            f"The broker does not tell how far {CATALOGUE} is read: {error.args[0].str()}.",
            "read the broker's log.",
        ) from None
    finally:
        reader.close()


def _behind(reader: Consumer, places: list[TopicPartition]) -> int:
    """Return how many records lie behind the committed offsets; markers of transactions are none."""
    starts = []
    for done in reader.committed(places, timeout=_CALL_SECONDS) if places else ():
        low, high = reader.get_watermark_offsets(done, timeout=_CALL_SECONDS)
        if (start := max(low, done.offset)) < high:
            starts.append(TopicPartition(done.topic, done.partition, start))
    reader.assign(starts)
    left, found = {start.partition for start in starts}, 0
    deadline = monotonic_seconds() + _CALL_SECONDS
    while left and found < MOST and monotonic_seconds() < deadline:
        for message in reader.consume(1_000, _AGAIN_SECONDS):
            error = message.error()
            if error is None:
                found += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(place_of(message)[1])
    return found
