"""Records that came to the wrong partition, or under no or another key, on their one way to their user's owner."""

from typing import Final

import msgspec

from streams import metrics
from streams.codec import decode_event, encode_json
from streams.contracts import Output, Record
from streams.partitioner import owner

ORIGIN_HEADER: Final = "headrace.origin"
"""Topic, partition and offset that a record was passed on from."""

REMEMBERED: Final = 65_536
"""Most users whose home is remembered, some 100 bytes each."""


class Homes:
    """The partitions that own users, remembered for those who come astray.

    They are asked about with every event, and murmur2 takes 1.4 to 4.3 µs of CPU (ids of 8 to 36 characters). A
    newcomer in the right place is asked about once, and has a state from then on: while they were remembered too,
    that was 176 of the 1,057 bytes a user in memory (`make bench-state`).

    Args:
        partitions: of every user-keyed topic.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._of_strays: dict[bytes, int] = {}

    def of(self, key: bytes, found_on: int | None = None) -> int:
        """Return the partition that owns a user.

        Args:
            key: the user's id in bytes.
            found_on: the partition of a record of theirs; None for one that was passed on, since more will be.
        """
        home = self._of_strays.get(key)
        if home is None:
            home = owner(key, self._partitions)
            if home != found_on:
                if len(self._of_strays) == REMEMBERED:
                    self._of_strays.clear()
                self._of_strays[key] = home
        return home

    def misplaced(self, record: Record, key: bytes) -> bool:
        """Return whether a record that was passed on is not where its user belongs, or not under their key."""
        return record.key != key or self.of(key) != record.partition


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
