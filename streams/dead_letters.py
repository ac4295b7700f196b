"""A record that cannot be used goes whole to `<topic>.dlq`: bytes, key, headers and CreateTime untouched.

The reason stands in headers named as Kafka Streams 4 names them, so that its tools read them.
"""

from streams.contracts import Output, Rejected
from streams.topics import dead_letters

PREFIX = "__streams.errors."


def dead_letter(rejected: Rejected) -> Output:
    """Return the dead letter of one record, for the same partition number of its topic's DLQ."""
    record = rejected.record
    why = {
        "exception": rejected.reason,
        "message": rejected.detail,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
    }
    return Output(
        topic=dead_letters(record.topic),
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=(*record.headers, *((PREFIX + name, text.encode()) for name, text in why.items())),
        timestamp_ms=record.timestamp_ms,
    )
