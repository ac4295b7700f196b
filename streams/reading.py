"""Reading topics outside a consumer group: once to the end, or whole and for ever."""

from collections.abc import Iterator, Sequence

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition

from streams.arrivals import record_of
from streams.clock import monotonic_seconds
from streams.contracts import Record
from streams.errors import BrokerError, Transient
from streams.kafka import consumer, idle_fetch_wait_ms, partition_count, whole
from streams.permissions import FORBIDDEN, forbidden
from streams.settings import Settings
from streams.transform import Apply

_log = structlog.get_logger()
_GATHERED_BYTES = 1_000_000
"""More than a busy topic brings in the time that an idle fetch waits, and a fetch of a long topic has more."""


def read_to_end(settings: Settings, topic: str, partitions: Sequence[int], apply: Apply) -> int:
    """Read partitions of a compacted topic from their beginning to their end and return the records read.

    Records without a key are passed over: a compacted topic of ours has none.
    """
    read = sum(_applied(record, apply) for record in records_to_end(settings, topic, partitions))
    if partitions:
        _log.info("read", topic=topic, partitions=list(partitions), records=read)
    return read


def records_to_end(settings: Settings, topic: str, partitions: Sequence[int]) -> Iterator[Record]:
    """Yield the committed records of partitions from their beginning to their end, each partition in its order.

    Raises:
        Transient: the broker has told nothing for `loop.delivery_timeout_seconds`.
    """
    if not partitions:
        return
    reader = consumer(settings, None)
    patience_seconds = settings.loop.delivery_timeout_seconds
    reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    left = set(partitions)
    heard_at = monotonic_seconds()
    try:
        while left:
            # poll, then drain: consume(n, t) alone would sit out its time at the end of the topic.
            first = reader.poll(1.0)
            messages = (first, *reader.consume(10_000, 0)) if first is not None else ()
            before = len(left)
            records = [record_of(message) for message in messages if _usable(message, left)]
            yield from records
            if records or len(left) < before:
                heard_at = monotonic_seconds()
            elif monotonic_seconds() - heard_at > patience_seconds:
                raise Transient(
                    f"{topic} is not read to its end: the broker has told nothing for {patience_seconds:g} s"
                )
    finally:
        reader.close()


class WholeTopic:
    """Follows every partition of a topic, in the thread that calls `poll`.

    Args:
        apply: called for every record that has a key.
        gathers: whether records are in no hurry. A fetch then waits for many of them, as long as an idle one does:
            otherwise each transaction on the topic ends one, which costs broker and reader the same again.

    Attributes:
        offsets: next offset of each partition, by number; what was applied lies before it.
        newest_seconds: largest CreateTime that was read, seconds since the epoch; 0 before the first record.
    """

    def __init__(self, settings: Settings, topic: str, apply: Apply, *, gathers: bool = False) -> None:
        count = partition_count(settings, topic)
        if count == 0:
            raise BrokerError(f"There is no topic {topic}.", "run `headrace topics create`.")
        self.topic = topic
        self.offsets = [0] * count
        self.newest_seconds = 0.0
        self._apply = apply
        self._left: set[int] = set()
        least_bytes = _GATHERED_BYTES if gathers else 1
        wait_ms = idle_fetch_wait_ms(settings)
        self._reader = consumer(settings, None, fetch_wait_max_ms=wait_ms, fetch_min_bytes=least_bytes)
        self.rewind()

    @property
    def caught_up(self) -> bool:
        """Whether every partition was read to its end at least once since the beginning or `rewind`."""
        return not self._left

    def poll(self, most: int = 1_000, wait_seconds: float = 0.0) -> int:
        """Apply up to `most` records that are there, waiting at most `wait_seconds` for the first."""
        applied = 0
        for message in self._reader.consume(most, wait_seconds):
            if not _usable(message, self._left):
                continue
            record = record_of(message)
            self.offsets[record.partition] = record.offset + 1
            self.newest_seconds = max(self.newest_seconds, record.timestamp_ms / 1000)
            applied += _applied(record, self._apply)
        return applied

    def rewind(self) -> None:
        """Read everything from the beginning; `caught_up` is false until the end is reached."""
        self.offsets = [0] * len(self.offsets)
        self._left = set(range(len(self.offsets)))
        self._reader.assign(whole(self.topic, len(self.offsets), OFFSET_BEGINNING))

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()


def _applied(record: Record, apply: Apply) -> int:
    if record.key is None:
        return 0
    apply(record.partition, record.key, record.value)
    return 1


def _usable(message: Message, left: set[int]) -> bool:
    """Return whether this is a record; the end of a partition is taken out of `left`."""
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._PARTITION_EOF:
        left.discard(record_of(message).partition)
    elif error.code() in FORBIDDEN:
        raise forbidden(error.str())
    elif error.fatal():
        raise BrokerError(f"The broker refuses this reader: {error.str()}.", "read the broker's log.")
    else:
        _log.warning("reader", error=error.str())
    return False
