"""A record as it came, a record that could not be used, and a record to be written.

Structs, not tuples: several are made for every event, and making a named tuple costs three to five times as much.
"""

from typing import NamedTuple

import msgspec

Headers = tuple[tuple[str, bytes | None], ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the log, bytes untouched.

    Attributes:
        timestamp_ms: CreateTime, milliseconds since the epoch.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Rejected(NamedTuple):
    """A record that cannot be used, whole, and why. A value, never an exception.

    Attributes:
        reason: a short label from a closed set; it is a metric label.
        detail: a sentence for the person who will mend the record.
    """

    record: Record
    reason: str
    detail: str


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to be written to partition `partition` of `topic`, by number.

    Attributes:
        timestamp_ms: CreateTime to carry over, or 0 for the producer's clock.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0
