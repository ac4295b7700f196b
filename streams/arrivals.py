"""From what librdkafka hands over to a `Record`."""

from typing import cast

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from streams.contracts import Record


def record_of(message: Message) -> Record:
    """Return the record in a message that is no error, bytes untouched."""
    kind, timestamp_ms = message.timestamp()
    headers = message.headers()
    # The types of confluent-kafka allow for messages that were never sent; those that were read have all of it.
    # No cast() and no names: this runs for every record.
    return Record(
        message.topic(),  # type: ignore[arg-type]
        message.partition(),  # type: ignore[arg-type]
        message.offset(),  # type: ignore[arg-type]
        0 if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        message.key(),
        message.value(),
        tuple(headers) if headers else (),  # type: ignore[arg-type]
    )


def place_of(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message that is no error."""
    return cast(str, message.topic()), cast(int, message.partition()), cast(int, message.offset())
