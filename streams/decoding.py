"""The records of one batch, decoded while they are handled."""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Generic, TypeVar, cast

from confluent_kafka import Message, TopicPartition

from streams.arrivals import record_of
from streams.clock import monotonic_seconds
from streams.contracts import Record, Rejected

M = TypeVar("M")
_CHUNK_RECORDS = 500
"""Few enough that what is made of them is still in the processor's cache when it is handled and let go."""
_topic = attrgetter("topic")


class Decoding(Generic[M]):
    """What a batch holds, to be read once; afterwards the attributes tell of the whole batch.

    Args:
        messages: no errors; the list is emptied on the way.
        active: partitions whose records count.
        decode: of a transform.

    Attributes:
        rejected: records that hold nothing that can be used.
        counts: topic -> its records.
        newest: (topic, partition) -> its last record.
        seconds: what decoding took.
    """

    def __init__(
        self, messages: list[Message], active: Container[int | None], decode: Callable[[Record], M | Rejected]
    ) -> None:
        self.rejected: list[Rejected] = []
        self.counts: Counter[str] = Counter()
        self.newest: dict[tuple[str, int], Record] = {}
        self.seconds = 0.0
        self._first_offsets: dict[tuple[str, int], int] = {}
        self._messages = messages
        self._active = active
        self._decode = decode

    def __len__(self) -> int:
        return self.counts.total()

    def __iter__(self) -> Iterator[M]:
        return chain.from_iterable(self._chunks())

    @property
    def firsts(self) -> list[TopicPartition]:
        """Where the batch begins."""
        return [TopicPartition(*place, offset) for place, offset in self._first_offsets.items()]

    def _chunks(self) -> Iterator[list[M]]:
        while self._messages:
            found = self._chunk()
            if Rejected in set(map(type, found)):  # seldom, and asked of all at once
                self.rejected += [item for item in found if isinstance(item, Rejected)]
                found = [item for item in found if not isinstance(item, Rejected)]
            yield cast(list[M], found)

    def _chunk(self) -> list[M | Rejected]:
        started = monotonic_seconds()
        messages = self._messages[:_CHUNK_RECORDS]
        del self._messages[:_CHUNK_RECORDS]
        records = [*map(record_of, messages)]
        topic, number = records[0].topic, records[0].partition
        elsewhere = [record for record in records if record.partition != number or record.topic != topic]
        if number in self._active and not elsewhere:  # as most: a fetch brings much of a partition at once
            self.counts[topic] += len(records)
            self._note_places((records[0], records[-1]))
        else:
            records = [record for record in records if record.partition in self._active]
            self.counts.update(map(_topic, records))
            self._note_places(records)
        decoded = [*map(self._decode, records)]
        self.seconds += monotonic_seconds() - started
        return decoded

    def _note_places(self, records: Sequence[Record]) -> None:
        for record in records:
            place = record.topic, record.partition
            self._first_offsets.setdefault(place, record.offset)
            self.newest[place] = record
