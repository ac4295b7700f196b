"""How a batch's outputs and its offsets become permanent.

`Delivery` is the seam between the loop and a guarantee. `AtLeastOnce` delivers, then commits. A
transactional delivery opens a transaction in `begin`, sends the offsets into it in `commit`, and takes
everything back in `abandon`; the loop is the same.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.clock import monotonic_seconds
from streams.contracts import Output
from streams.errors import Transient
from streams.metrics import OUTPUTS


class Delivery(Protocol):
    """Makes a batch permanent, or not."""

    def begin(self) -> None:
        """Open a batch."""

    def write(self, outputs: Iterable[Output]) -> None:
        """Hand over records of the open batch; each goes to the partition that it names."""

    def wait(self) -> None:
        """Return when every record of the open batch is delivered.

        Raises:
            Transient: one was not.
        """

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Close the batch: the next reader of these partitions starts at `offsets`.

        Raises:
            Transient: the broker refused. The batch counts as not done and will be read again.
        """


class AtLeastOnce:
    """Deliver everything, then commit. A crash between the two repeats the batch.

    Args:
        consumer: whose offsets are committed.
        producer: that writes.
        timeout_seconds: longest wait for one batch's delivery.
    """

    def __init__(self, consumer: Consumer, producer: Producer, timeout_seconds: float) -> None:
        self._consumer = consumer
        self._producer = producer
        self._timeout_seconds = timeout_seconds
        self._failures: list[KafkaError] = []

    def begin(self) -> None:
        """Forget the failures of an earlier batch."""
        self._failures.clear()

    def write(self, outputs: Iterable[Output]) -> None:
        """Queue the records; wait for room when librdkafka's queue is full."""
        for output in outputs:
            while not self._queued(output):
                self._producer.poll(0.05)

    def wait(self) -> None:
        """Flush; the broker has every record when this returns."""
        deadline = monotonic_seconds() + self._timeout_seconds
        while left := self._producer.flush(0.5):
            if monotonic_seconds() > deadline:
                raise Transient(f"{left} records were not delivered in {self._timeout_seconds:g} s")
        if self._failures:
            raise Transient(f"a record was not delivered: {self._failures[0].str()}")

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Commit synchronously; nothing to do without offsets."""
        if not offsets:
            return
        try:
            done = self._consumer.commit(offsets=list(offsets), asynchronous=False)
        except KafkaException as error:
            raise Transient(f"offsets were not committed: {error.args[0].str()}") from None
        for partition in done or ():
            if partition.error is not None:
                raise Transient(f"offsets were not committed: {partition.error.str()}")

    def _queued(self, output: Output) -> bool:
        try:
            self._producer.produce(
                output.topic,
                value=output.value,
                key=output.key,
                partition=output.partition,
                headers=list(output.headers),
                timestamp=output.timestamp_ms,
                on_delivery=self._delivered,
            )
        except BufferError:
            return False
        return True

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(error)
        else:
            OUTPUTS.labels(message.topic()).inc()
