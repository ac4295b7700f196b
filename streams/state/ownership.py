"""Records that came to the wrong partition, or under no or another key, on their one way to their user's owner."""

from typing import Final

import msgspec

from streams import metrics
from streams.codec import decode_event, encode_json
from streams.contracts import Output, Record
from streams.partitioner import owner

ORIGIN_HEADER: Final = "headrace.origin"
"""Topic, partition and offset that a record was passed on from."""


def stray(record: Record, key: bytes, partitions: int) -> bool:
    """Return whether a record is not where murmur2 puts its user, or not under the user's key."""
    return record.key != key or owner(key, partitions) != record.partition


def passed_on(record: Record, topic: str, key: bytes, home: int, pseudonym: str | None) -> Output:
    """Return the record for its owner: value, headers and CreateTime untouched, one header more.

    Args:
        record: it holds an event or an erasure.
        topic: to write it to.
        key: the user's id in bytes.
        home: the partition that owns it.
        pseudonym: the id to write in place of the user's own; the value is then written anew, without
            `anonymous_id` and fields that the contract does not know.
    """
    reason = "pseudonym" if pseudonym is not None else _reason(record, key)
    metrics.REKEYED[reason].inc()
    value = record.value
    if pseudonym is not None:
        event = decode_event(record.value or b"")
        value = encode_json(msgspec.structs.replace(event, user_id=pseudonym, anonymous_id=None))
    origin = f"{record.topic}/{record.partition}/{record.offset}".encode()
    return Output(topic, home, key, value, (*record.headers, (ORIGIN_HEADER, origin)), record.timestamp_ms)


def _reason(record: Record, key: bytes) -> str:
    if record.key is None:
        return "keyless"
    return "mis_keyed" if record.key != key else "foreign_partitioner"
