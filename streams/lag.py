"""How far behind each owned partition is, in records and in seconds; told also while nothing is read.

A partition may have records and give none: a transaction that was left open hides everything after it from
read-committed readers. So lag is measured once a second, not when a batch ends.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from streams import metrics
from streams.clock import Clock, wall_seconds
from streams.contracts import Record

EVERY_SECONDS = 1.0
Place = tuple[str, int]


class _Read(NamedTuple):
    """Where a partition is: next offset (None: nothing read yet) and since when, seconds since the epoch."""

    next_offset: int | None
    since_seconds: float


class LagWatch:
    """Sets the gauges of lag. For the thread of the loop.

    Args:
        consumer: whose fetches tell the end of each partition; nobody is asked, so nothing waits.
    """

    def __init__(self, consumer: Consumer, clock: Clock = wall_seconds) -> None:
        self._consumer = consumer
        self._clock = clock
        self._places: dict[Place, _Read] = {}
        self._due_seconds = 0.0

    def own(self, topics: Sequence[str], partitions: Iterable[int]) -> None:
        """Watch these partitions of all `topics` and forget every other, gauges too."""
        now = self._clock()
        owned = [(topic, number) for topic in topics for number in partitions]
        for topic, number in self._places.keys() - set(owned):
            for gauge in (metrics.LAG_RECORDS, metrics.LAG_SECONDS, metrics.NEXT_OFFSET):
                gauge.remove(topic, str(number))
        self._places = {place: self._places.get(place, _Read(None, now)) for place in owned}
        self._due_seconds = 0.0

    def committed(self, records: Iterable[Record]) -> None:
        """Note the newest record of each partition; they are committed."""
        for record in {(record.topic, record.partition): record for record in records}.values():
            place = (record.topic, record.partition)
            if place in self._places:
                # An end that was seen meanwhile lies further: the markers of transactions count as offsets.
                at = max(record.offset + 1, self._places[place].next_offset or 0)
                self._places[place] = _Read(at, record.timestamp_ms / 1000)

    def ended(self, topic: str, partition: int, offset: int) -> None:
        """Note that everything before `offset` was read: what lies there can be no record of ours."""
        if (read := self._places.get((topic, partition))) is not None:
            self._places[topic, partition] = read._replace(next_offset=max(offset, read.next_offset or 0))

    def measure(self) -> None:
        """Set the gauges, if the last time is a second ago."""
        now = self._clock()
        if now < self._due_seconds:
            return
        self._due_seconds = now + EVERY_SECONDS
        for (topic, number), read in self._places.items():
            labels = (topic, str(number))
            partition = TopicPartition(topic, number)
            low, high = self._consumer.get_watermark_offsets(partition, cached=True)
            next_offset = read.next_offset
            if next_offset is None:
                # Nothing was read since the assignment: the position is where reading starts.
                at = self._consumer.position([partition])[0].offset
                next_offset = at if at >= 0 else max(0, low)
            lag = max(0, high - next_offset)
            if not lag:
                # From here on the age of the first record that waits is the time that it has waited.
                self._places[topic, number] = _Read(read.next_offset, now)
            metrics.LAG_RECORDS.labels(*labels).set(lag)
            metrics.LAG_SECONDS.labels(*labels).set(max(0.0, now - read.since_seconds) if lag else 0)
            metrics.NEXT_OFFSET.labels(*labels).set(next_offset)
