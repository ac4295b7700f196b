"""From what librdkafka hands over to a `Record`."""

from typing import cast

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from streams.contracts import Record
from streams.contracts.records import Headers


def record_of(message: Message) -> Record:
    """Return the record in a message that is no error, bytes untouched."""
    kind, timestamp_ms = message.timestamp()
    # The types of confluent-kafka allow for messages that were never sent; those that were read have all of it.
    return Record(
        topic=cast(str, message.topic()),
        partition=cast(int, message.partition()),
        offset=cast(int, message.offset()),
        timestamp_ms=0 if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        key=message.key(),
        value=message.value(),
        headers=cast(Headers, tuple(message.headers() or ())),
    )


def place_of(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message that is no error."""
    return cast(str, message.topic()), cast(int, message.partition()), cast(int, message.offset())
