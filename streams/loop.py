"""The one consume–transform–produce loop. Every worker is a `Transform` inside it.

A turn of `Loop.turn`:

1. read a batch: wait for one record, then take what is there;
2. leave out records of partitions that a rebalance has taken away meanwhile;
3. decode: bytes that cannot be used become `Rejected` values;
4. handle: the transform folds the messages and says what to write;
5. write outputs and dead letters, each to a partition by number;
6. wait until the broker has them all;
7. commit the offsets of everything that was read.

A crash before 7 repeats the batch; transforms make that harmless (results are idempotent by source
offset). An error in 5, 6 or 7 ends the worker: what it holds in memory is ahead of the log, and a restart
reads the log's version back.

Partition p belongs to one worker at a time *across topics*: the loop subscribes to the first source and
assigns the same partition numbers of the others by hand, in the rebalance callbacks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    TopicPartition,
)

from streams import metrics
from streams.arrivals import record_of
from streams.contracts import Output, Record, Rejected
from streams.dead_letters import dead_letter
from streams.delivery import Delivery
from streams.errors import BrokerError, Transient
from streams.lag import LagWatch
from streams.settings.kafka import LoopSettings

M = TypeVar("M")
_log = structlog.get_logger()


class Transform(Protocol[M]):
    """What one worker does with its records. Called from one thread."""

    @property
    def sources(self) -> Sequence[str]:
        """Topics to read; the first is the one that is subscribed to, the others follow its partitions."""

    def decode(self, record: Record) -> M | Rejected:
        """Return the message of `record`, or why there is none. Raises nothing."""

    def handle(self, batch: Sequence[M]) -> Iterable[Output]:
        """Apply the messages, in the log's order by partition, and return what to write."""

    def tick(self) -> Iterable[Output]:
        """Do what no record of the sources asks for, and return what to write. Called once a turn."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """Read back what is known of new partitions; reading them starts when this returns."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget these partitions; another worker has them now."""


class Loop(Generic[M]):
    """Runs one transform.

    Args:
        consumer: not yet subscribed, auto commit off.
        delivery: made with the same consumer.
        settings: batch size and waits.
        on_assignment: told the owned partitions whenever they change.
        on_committed: called after each batch that became permanent: its outputs can be read from now on.
    """

    def __init__(
        self,
        transform: Transform[M],
        consumer: Consumer,
        delivery: Delivery,
        settings: LoopSettings,
        *,
        on_assignment: Callable[[frozenset[int]], None] = lambda _: None,
        on_committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._transform = transform
        self._consumer = consumer
        self._delivery = delivery
        self._settings = settings
        self._on_assignment = on_assignment
        self._on_committed = on_committed
        self._lag = LagWatch(consumer)
        self._owned: frozenset[int] = frozenset()
        consumer.subscribe(
            [transform.sources[0]],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )

    def run(self, stopped: Callable[[], bool]) -> None:
        """Turn until `stopped()`, finish the batch, leave the group.

        Raises:
            Transient: a batch could not be made permanent.
            BrokerError: the broker refuses for good.
        """
        try:
            while not stopped():
                self.turn()
        finally:
            self._consumer.close()

    def turn(self) -> int:
        """Do steps 1 to 7 once and return how many records were read."""
        messages = self._read()  # 1
        records = [record_of(message) for message in messages if message.partition() in self._owned]  # 2
        with metrics.STAGE_SECONDS.labels("decode").time():
            decoded = [self._transform.decode(record) for record in records]  # 3
        rejected = [item for item in decoded if isinstance(item, Rejected)]
        accepted = [item for item in decoded if not isinstance(item, Rejected)]
        with metrics.STAGE_SECONDS.labels("handle").time():
            outputs = [*self._transform.tick()]  # 4
            if accepted:
                outputs += self._transform.handle(accepted)
        if not records and not outputs:
            self._lag.measure()
            return 0
        self._delivery.begin()
        with metrics.STAGE_SECONDS.labels("deliver").time():
            self._delivery.write(outputs)  # 5
            self._delivery.write(dead_letter(item) for item in rejected)
            self._delivery.wait()  # 6
        with metrics.STAGE_SECONDS.labels("commit").time():
            self._delivery.commit(_next_offsets(records))  # 7
        self._on_committed()
        self._measure(records, rejected)
        return len(records)

    def _read(self) -> list[Message]:
        first = self._consumer.poll(self._settings.poll_seconds)
        rest = self._consumer.consume(self._settings.batch_records - 1, 0) if first is not None else []
        messages = []
        for message in (first, *rest):
            if message is None or (error := message.error()) is None:
                messages += [message] if message is not None else []
            elif error.code() == KafkaError._PARTITION_EOF:
                end = record_of(message)
                self._lag.ended(end.topic, end.partition, end.offset)
            else:
                _check(error)
        return messages

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = sorted(item.partition for item in partitions)
        self._transform.assigned(numbers)
        starts = list(partitions)
        for topic in self._transform.sources[1:]:
            committed = consumer.committed([TopicPartition(topic, number) for number in numbers], 10)
            starts += [
                TopicPartition(topic, item.partition, item.offset if item.offset >= 0 else OFFSET_BEGINNING)
                for item in committed
            ]
        consumer.incremental_assign(starts)
        self._now_own(self._owned | set(numbers))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = sorted(item.partition for item in partitions)
        consumer.incremental_unassign(
            [TopicPartition(topic, number) for topic in self._transform.sources for number in numbers]
        )
        self._transform.revoked(numbers)
        self._now_own(self._owned - set(numbers))

    def _now_own(self, partitions: frozenset[int]) -> None:
        self._owned = partitions
        metrics.OWNED.set(len(partitions))
        self._lag.own(self._transform.sources, partitions)
        _log.info("partitions", owned=sorted(partitions), topics=list(self._transform.sources))
        self._on_assignment(partitions)

    def _measure(self, records: Sequence[Record], rejected: Sequence[Rejected]) -> None:
        metrics.BATCH_RECORDS.observe(len(records))
        for item in rejected:
            metrics.REJECTED.labels(item.record.topic, item.reason).inc()
            _log.warning(
                "rejected",
                topic=item.record.topic,
                partition=item.record.partition,
                offset=item.record.offset,
                reason=item.reason,
            )
        for topic, count in Counter(record.topic for record in records).items():
            metrics.RECORDS.labels(topic).inc(count)
        self._lag.committed(records)
        self._lag.measure()


def _next_offsets(records: Sequence[Record]) -> list[TopicPartition]:
    newest = {(record.topic, record.partition): record.offset for record in records}
    return [TopicPartition(topic, number, offset + 1) for (topic, number), offset in newest.items()]


def _check(error: KafkaError) -> None:
    if error.fatal():
        raise BrokerError(f"The broker refuses this worker: {error.str()}.", "read the broker's log.")
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise Transient(f"a topic is not there ({error.str()}); run `headrace topics create`")
    _log.warning("consumer", error=error.str())
