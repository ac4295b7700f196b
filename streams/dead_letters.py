"""A record that cannot be used goes whole to `<topic>.dlq`: bytes, key, headers and CreateTime untouched.

The reason stands in headers named as Kafka Streams 4 names them, so that its tools read them. A letter that was
sent again has a mark behind it in the same partition: the offset of the letter in a header, and no value.
"""

from typing import Final, NamedTuple

from streams.contracts import Headers, Output, Record, Rejected
from streams.topics import dead_letters

PREFIX: Final = "__streams.errors."
REPLAYED_HEADER: Final = "headrace.replayed"
"""On a record that was sent again, once for each time: topic, partition and offset of its dead letter."""
MARK_HEADER: Final = "headrace.replay.mark"
"""On the mark of a letter that was sent again: the letter's offset."""
_NAMES = ("exception", "message", "topic", "partition", "offset")


class Letter(NamedTuple):
    """A dead letter.

    Attributes:
        record: as it lies in the dead-letter topic.
        original: headers that the record came with.
        topic, partition, offset: where it came from.
        reason: why, as a label; `detail` is a sentence.
    """

    record: Record
    original: Headers
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str

    @property
    def place(self) -> str:
        """Return topic, partition and offset of the letter."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"

    @property
    def attempts(self) -> int:
        """Return how often the record had been sent again before it became this letter."""
        return sum(name == REPLAYED_HEADER for name, _ in self.original)


def dead_letter(rejected: Rejected) -> Output:
    """Return the dead letter of one record, for the same partition number of its topic's DLQ."""
    record = rejected.record
    why = (rejected.reason, rejected.detail, record.topic, str(record.partition), str(record.offset))
    return Output(
        topic=dead_letters(record.topic),
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=(
            *record.headers,
            *((PREFIX + name, text.encode()) for name, text in zip(_NAMES, why, strict=True)),
        ),
        timestamp_ms=record.timestamp_ms,
    )


def letter_of(record: Record) -> Letter | None:
    """Return the letter that a record of a dead-letter topic is, or None for a mark or something foreign."""
    end = len(record.headers)
    while end and len(record.headers) - end < len(_NAMES) and record.headers[end - 1][0].startswith(PREFIX):
        end -= 1
    # The last of a name: a record may have come with such headers of its own.
    why = {
        name.removeprefix(PREFIX): (value or b"").decode(errors="replace") for name, value in record.headers[end:]
    }
    if not why.keys() >= set(_NAMES) or not (why["partition"].isdecimal() and why["offset"].isdecimal()):
        return None
    return Letter(
        record,
        record.headers[:end],
        why["topic"],
        int(why["partition"]),
        int(why["offset"]),
        why["exception"],
        why["message"],
    )


def sent_again(letter: Letter) -> tuple[Output, Output]:
    """Return the record as it came, with one header more, and the mark that says so."""
    record = letter.record
    again = (*letter.original, (REPLAYED_HEADER, letter.place.encode()))
    mark = ((MARK_HEADER, str(record.offset).encode()),)
    return (
        Output(letter.topic, letter.partition, record.key, record.value, again, record.timestamp_ms),
        Output(record.topic, record.partition, record.key, None, mark),
    )


def marked(record: Record) -> int | None:
    """Return the offset of the letter that a mark is of, or None where the record is no mark."""
    if record.value is not None or len(record.headers) != 1:
        return None
    name, value = record.headers[0]
    return int(value) if name == MARK_HEADER and value is not None and value.isdigit() else None
