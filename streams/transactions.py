"""Exactly once: outputs and offsets of a batch become visible together, in one Kafka transaction, or not at all.

A batch on the broker:

1. `begin`: local; the broker hears of it with the first record. After a start, an abort or a replacement of the
   producer it is settled first: see there;
2. `write`: records are queued and sent;
3. `commit`: the offsets are sent into the transaction, with the group's generation: a worker that has lost its
   partitions without knowing is refused here;
4. and the transaction is committed, which first waits for every record.

What an error asks for stands in `streams/remedies.py`. A producer whose broker was away, in a call or while it was
idle, is replaced as soon as that loses nothing (`_shaken`): librdkafka 2.16 drops a broker that the metadata leave
out for a moment, keeps it as the group's coordinator nevertheless, and so sends offsets to nobody, for ever (its
issues 5511 and 5456).

The `transactional.id` follows from the worker's stable identity, so that a restarted worker aborts what it left
open instead of blocking every reader until the timeout.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams import metrics
from streams.arrivals import place_of
from streams.bounded import Bounded, Overdue
from streams.clock import monotonic_seconds
from streams.contracts import Output
from streams.delivery import Abandoned, Unknown
from streams.errors import Transient
from streams.queueing import queue
from streams.remedies import Remedy, ended, row_of, tells_of_absence
from streams.transform import Ends
from streams.twins import TwinWatch

_log = structlog.get_logger()
_CALL_SECONDS = 5.0
_HUNG_SECONDS = _CALL_SECONDS + 1.0
_COMMIT_SECONDS = 5.0  # a longer wait would cost the consumer its session, and its state is read back then anyhow
_INIT_SECONDS = 1.0
_FIRST_INIT_SECONDS = 0.1
_CONNECT_SECONDS = 0.2
_DOUBT_SECONDS = 2.0
_LATELY_SECONDS = 60.0
_UNREACHED = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})


class _Lost(Exception):
    """The producer was replaced."""


class TransactionalDelivery:
    """One transaction a batch.

    Args:
        consumer: whose group's offsets are sent.
        make_producer: returns a producer with the same `transactional.id` each time; given what hears its errors.
        timeout_seconds: a broker that starts no transaction for longer ends the worker.
        place: some partition of the group; None for a writer that commits no offsets, who has none to settle.
        writer: the worker's identity; it stands beside the offsets, for `streams/fencing.py`.

    Attributes:
        absences: how often the broker was away.

    Raises:
        Transient: the broker does not answer.
        Fatal: it refuses transactions.
    """

    def __init__(
        self,
        consumer: Consumer,
        make_producer: Callable[[Callable[[KafkaError], None]], Producer],
        timeout_seconds: float,
        place: TopicPartition | None = None,
        writer: str = "",
    ) -> None:
        self._writer = writer
        self._consumer = consumer
        self._place = place
        self._settled = self._shaken = False
        self._make_producer = make_producer
        self._timeout_seconds = timeout_seconds
        self._twins = TwinWatch()
        self._unreached_at = float("-inf")
        self._counts: dict[str, int] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._bounded = Bounded()
        self.absences = 0
        self._producer = make_producer(self._noticed)
        self._waits_since: float | None = monotonic_seconds()
        # The first to ask has an open transaction of its id aborted, and hears that it must ask again, which
        # librdkafka does after half a second. By then another one is long done.
        with suppress(Abandoned):
            self._await_ready(_FIRST_INIT_SECONDS)
        if self._waits_since is not None:
            self._producer = make_producer(self._noticed)
        while self._waits_since is not None:
            with suppress(Abandoned):
                self._await_ready()

    @property
    def ends(self) -> Ends:
        """Where the records of the last committed batch end."""
        return self._ends

    def ready(self) -> None:
        """Do nothing: it was made ready."""

    def begin(self) -> None:
        """Do step 1."""
        self.prepare()
        self._counts.clear()
        self._ends = {}
        self._do(self._producer.begin_transaction)

    def prepare(self) -> None:
        """Get ready for a batch: what an earlier one left open is ended and settled."""
        self._producer.poll(0)  # where errors are told that came while nothing was asked of it
        if self._shaken:
            self._replace("the broker was away", "it may have lost the group's coordinator")
        self._await_ready()
        if not self._settled:
            self.settle()

    def doubt(self) -> None:
        """Have the producer replaced before its next batch: another one has seen the broker go away."""
        self._shaken = True

    def write(self, outputs: Iterable[Output]) -> None:
        """Do step 2."""
        by_topic: dict[str, list[Output]] = {}
        for output in outputs:
            by_topic.setdefault(output.topic, []).append(output)
        for topic, records in by_topic.items():
            self._counts[topic] = self._counts.get(topic, 0) + len(records)
            self._do(partial(queue, self._producer, topic, records, self._delivered))

    def wait(self) -> None:
        """Do nothing: the commit waits for the records, and sending the offsets need not."""

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Do steps 3 and 4."""
        if offsets:
            self._send(offsets)
        try:
            self._do(lambda: self._producer.commit_transaction(_CALL_SECONDS), committing=True)
        except _Lost as lost:
            raise Unknown(str(lost)) from None
        for topic, count in self._counts.items():
            metrics.OUTPUTS.labels(topic).inc(count)

    def claim(self, offsets: Sequence[TopicPartition]) -> None:
        """Commit those of others as they stand: in a batch, so that none can come after a later one."""
        if others := [each for each in offsets if each.offset >= 0 and each.metadata != self._writer]:
            self.begin()
            self.commit(others)

    def settle(self) -> None:
        """Send an offset and abort: offsets that an earlier transaction of this producer left pending are void.

        A broker that is killed may end a transaction without telling the group's partition (seen on Apache
        Kafka 4.4). Its offsets stay pending: restores wait for them for ever, and the next commit of this producer
        would make them count, although the batch was aborted. To void them is safe whatever became of the batch:
        its records are read again, and states know the offsets that they hold.
        """
        if (place := self._place) is None:
            return
        self._await_ready()
        self._do(self._producer.begin_transaction)
        self._send([place])
        self._do(lambda: self._producer.abort_transaction(_CALL_SECONDS), patient=False)
        self._settled = True

    def _send(self, offsets: Sequence[TopicPartition]) -> None:
        """Do step 3: the batch is not committed before step 4, so that it may be given up at any time."""
        group = self._consumer.consumer_group_metadata()
        signed = [TopicPartition(each.topic, each.partition, each.offset, self._writer) for each in offsets]
        send = partial(self._producer.send_offsets_to_transaction, signed, group, _CALL_SECONDS)
        try:
            self._do(lambda: self._bounded(send, _HUNG_SECONDS, self._is_cut_off, _DOUBT_SECONDS), patient=False)
        except Overdue as overdue:
            self._bounded = Bounded()
            self.absences += 1
            self._replace(str(overdue), "librdkafka has lost the group's coordinator")
            raise Abandoned(f"the offsets were not sent: {overdue}") from None

    def _do(self, call: Callable[[], Any], *, committing: bool = False, patient: bool = True) -> None:
        """Call until it succeeds or the table says otherwise.

        Args:
            committing: a failure may come too late to tell what became of the batch.
            patient: call again when the broker was away, rather than give up a batch that is not committed.
        """
        deadline = monotonic_seconds() + min(_COMMIT_SECONDS, self._timeout_seconds)
        while True:
            try:
                call()
                return
            except KafkaException as failure:
                error = failure.args[0]
            row = row_of(error)
            if tells_of_absence(error):
                self._shaken = True
                self.absences += 1
            match row.remedy:
                case Remedy.RETRY if self._shaken and not patient:
                    self._replace(error.str(), "the broker was away")
                    raise Abandoned(f"the broker was away: {error.str()}")
                case Remedy.RETRY if monotonic_seconds() < deadline:
                    _log.warning("transaction: again", error=error.str(), why=row.why)
                case Remedy.RETRY:
                    self._replace(error.str(), "the broker was away")
                    lost = f"the broker has not answered: {error.str()}"
                    raise _Lost(lost) if committing else Abandoned(lost)
                case Remedy.ABORT:
                    # A batch whose records did not all arrive is never committed.
                    self._abort(error, committing and error.code() != KafkaError._INCONSISTENT)
                case Remedy.REPLACE:
                    self._twins.fenced(error)
                    self._replace(error.str(), row.why)
                    lost = f"{row.why}: {error.str()}"
                    raise _Lost(lost) if committing else Abandoned(lost)
                case Remedy.END:
                    raise ended(error, row.why)

    def _abort(self, cause: KafkaError, committing: bool) -> None:
        """Abort; only an abort that the broker has confirmed tells that a commit has not happened before it."""
        self._settled = False
        refused = f"the broker refused the batch: {cause.str()}"
        if self._shaken:
            self._replace(cause.str(), "the broker was away")  # which aborts as well
            raise _Lost(refused) if committing else Abandoned(refused)
        try:
            # It drops what was not sent. To purge what was sent as well cost the next batch (see ADR 4).
            self._do(lambda: self._producer.abort_transaction(_CALL_SECONDS), patient=False)
        except Abandoned:  # replaced on the way
            raise _Lost(refused) if committing else Abandoned(refused) from None
        raise Abandoned(refused)

    def _replace(self, cause: str, why: str) -> None:
        self._settled, self._shaken, self._unreached_at = False, False, float("-inf")
        metrics.PRODUCERS_REPLACED.inc()
        _log.warning("producer replaced", error=cause, why=why)
        self._producer.purge()
        self._producer = self._make_producer(self._noticed)
        self._waits_since = monotonic_seconds()
        with suppress(Abandoned):  # librdkafka goes on with it; `begin` waits for the end
            self._await_ready()

    def _await_ready(self, init_seconds: float = _INIT_SECONDS) -> None:
        """Start the producer: this ends what an earlier one with its id left open.

        While the broker is away this gives up after a moment each time, so that the loop goes on to serve its
        consumer: one whose session ended meanwhile is taken for a twin if it answers that late (librdkafka's issue
        3437).
        """
        if self._waits_since is None:
            return
        # A producer that asks for its coordinator before it is connected asks again half a second later.
        with suppress(KafkaException):
            self._producer.list_topics(timeout=_CONNECT_SECONDS)
        try:
            self._producer.init_transactions(init_seconds)
        except KafkaException as failure:
            error = failure.args[0]
            row = row_of(error)
            if row.remedy is not Remedy.RETRY:
                raise ended(error, row.why) from None
            if monotonic_seconds() - self._waits_since > self._timeout_seconds:
                raise Transient(f"the broker starts no transaction: {error.str()}") from None
            raise Abandoned(f"the broker starts no transaction yet: {error.str()}") from None
        self._producer.poll(0)  # see `_noticed`
        self._waits_since = None

    def _noticed(self, error: KafkaError) -> None:
        """Take in an error that belongs to no call: an idle producer loses its coordinators just the same."""
        if self._waits_since is not None:
            return  # that a new one has to wait for a broker is no news
        if error.code() in _UNREACHED:
            self._unreached_at = monotonic_seconds()
        # One of several brokers may be away for long, and its connection fails again and again.
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._shaken = True
            self.absences += 1

    def _is_cut_off(self) -> bool:
        """Return whether a broker was not reached lately, which may be the one that a call waits for."""
        self._producer.poll(0)
        return monotonic_seconds() - self._unreached_at < _LATELY_SECONDS

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            topic, partition, offset = place_of(message)
            self._ends[topic, partition] = offset + 1
