"""How a batch's outputs and its offsets become permanent.

`Delivery` is the seam between the loop and a guarantee; the loop is the same for both. `AtLeastOnce`
delivers, then commits. `streams/transactions.py` has the other one, and `streams/alternating.py` a pair of it.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.arrivals import place_of
from streams.clock import monotonic_seconds
from streams.contracts import Output
from streams.errors import Transient
from streams.metrics import OUTPUTS
from streams.queueing import queue_one
from streams.transform import Ends

_REBALANCED = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)


class Abandoned(Transient):
    """The batch is not in the log, and the delivery is ready for the next one."""


class Unknown(Transient):
    """Whether the batch is in the log cannot be told; the delivery is ready for the next one."""


class Delivery(Protocol):
    """Makes a batch permanent, or not.

    Every method may raise `Abandoned`, `Unknown` (both: the loop goes on), `Transient` (a restart helps) or
    `Fatal` (only an operator does).
    """

    def ready(self) -> None:
        """Return when a batch can be begun: a start may go on while the worker joins its group."""

    def begin(self) -> None:
        """Open a batch."""

    def write(self, outputs: Iterable[Output]) -> None:
        """Hand over records of the open batch; each goes to the partition that it names."""

    def wait(self) -> None:
        """Return when what has to be delivered before `commit` is."""

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Close the batch: the next reader of these partitions starts at `offsets`."""

    def claim(self, offsets: Sequence[TopicPartition]) -> None:
        """Put this worker's name beside offsets where another's stands, before it writes for their partitions.

        Args:
            offsets: with the names beside them; negative where nobody has committed any.
        """

    def settle(self) -> None:
        """Clear what an earlier batch of this worker may have left unsettled among the group's offsets."""

    @property
    def ends(self) -> Ends:
        """Where the records of the last committed batch end."""


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
        self._ends: dict[tuple[str, int], int] = {}

    @property
    def ends(self) -> Ends:
        """Where the records of the last batch end."""
        return self._ends

    def ready(self) -> None:
        """Do nothing: there is nothing to start."""

    def begin(self) -> None:
        """Forget what an earlier batch left."""
        self._failures.clear()
        self._ends = {}

    def write(self, outputs: Iterable[Output]) -> None:
        """Queue the records; wait for room when librdkafka's queue is full."""
        for output in outputs:
            queue_one(self._producer, output, self._delivered)

    def wait(self) -> None:
        """Flush; the broker has every record when this returns.

        Raises:
            Transient: it has not.
        """
        deadline = monotonic_seconds() + self._timeout_seconds
        while left := self._producer.flush(0.5):
            if monotonic_seconds() > deadline:
                raise Transient(f"{left} records were not delivered in {self._timeout_seconds:g} s")
        if self._failures:
            raise Transient(f"a record was not delivered: {self._failures[0].str()}")

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Commit synchronously; nothing to do without offsets.

        Raises:
            Abandoned: the group has changed meanwhile. The outputs are in the log, and the same ones will be
                written again.
            Transient: the broker refused.
        """
        if not offsets:
            return
        try:
            done = self._consumer.commit(offsets=list(offsets), asynchronous=False)
        except KafkaException as error:
            raise _uncommitted(error.args[0]) from None
        for partition in done or ():
            if partition.error is not None:
                raise _uncommitted(partition.error)

    def claim(self, offsets: Sequence[TopicPartition]) -> None:
        """Do nothing: the name is for whoever ends a dead worker's transaction, and there are none."""

    def settle(self) -> None:
        """Do nothing: offsets are committed or are not."""

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(error)
            return
        topic, partition, offset = place_of(message)
        self._ends[topic, partition] = offset + 1
        OUTPUTS.labels(topic).inc()


def _uncommitted(error: KafkaError) -> Transient:
    kind = Abandoned if error.code() in _REBALANCED else Transient
    return kind(f"offsets were not committed: {error.str()}")
