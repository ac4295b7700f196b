"""The one consume–transform–produce loop. Every worker is a `Transform` inside it.

A turn of `Loop.turn`:

1. restore: read back a slice of the state of partitions that are new here, if any; sign the offsets of those that
   are through (`Delivery.claim`), before anything is written for them;
2. read a batch: wait for one record, then take what is there, up to `loop.batch_records`, `batch_bytes` and what
   can be handled in `batch_seconds`; rebalance callbacks run here and nowhere else;
3. leave out records of partitions that a rebalance has taken away meanwhile;
4. decode: bytes that cannot be used become `Rejected` values; too many of them end the worker before 6;
5. fold: the transform handles the messages, which are decoded as it comes to them, and says what to write;
6. begin, and write outputs and dead letters, each to a partition by number;
7. commit the offsets of everything that was read, in the same transaction (`TransactionalDelivery`, two of which
   take turns: `AlternatingDelivery`), or after the broker has every record (`AtLeastOnce`);
8. tell the transform that the batch is kept.

A batch that the broker refused in 6 or 7 is undone: the transform puts back the values from before it, and its
records are read again. If nobody can tell whether it is in the log, its partitions are restored from there.
A crash before 7 repeats the batch and a crash after 7 does not.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import structlog
from confluent_kafka import Consumer, TopicPartition

from streams import metrics
from streams.batches import Batches
from streams.clock import monotonic_seconds, sleep_seconds
from streams.dead_letters import dead_letter
from streams.decoding import Decoding
from streams.delivery import Abandoned, Delivery, Unknown
from streams.lag import LagWatch
from streams.ownership import Ownership, Partitions
from streams.progress import tell
from streams.rejections import RejectedShare
from streams.settings import Settings
from streams.transform import Transform

__all__ = ["Loop", "Transform"]

M = TypeVar("M")
_log = structlog.get_logger()
_AFTER_ABANDON_SECONDS = 0.02
_RESTORE_POLL_SECONDS = 0.005


class Loop(Generic[M]):
    """Runs one transform.

    Args:
        reader: not yet subscribed, auto commit off.
        group: the reader's.
        delivery: made with the same reader.
        on_change: told the partitions whenever they change.
    """

    def __init__(
        self,
        transform: Transform[M],
        reader: Consumer,
        group: str,
        delivery: Delivery,
        settings: Settings,
        *,
        on_change: Callable[[Partitions], None] = lambda _: None,
    ) -> None:
        self._transform = transform
        self._consumer = reader
        self._delivery = delivery
        self._poll_seconds = settings.loop.poll_seconds
        self._lag = LagWatch(reader)
        self._batches = Batches(reader, settings.loop, ended=self._lag.ended)
        self._rejections = RejectedShare(settings.loop.max_rejected_share, settings.loop.rejected_window_records)
        self._offsets: dict[tuple[str, int], int] = {}
        metrics.expect(transform.sources)
        self._on_change = on_change
        self._ownership = Ownership(transform, reader, group, settings, self._changed)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Turn until `stopped()`, finish the batch, leave the group.

        Raises:
            Transient: a batch could not be made permanent; a restart helps.
            Fatal: an operator has to change something.
        """
        try:
            while not stopped():
                self.turn()
        finally:
            self.close()

    def close(self) -> None:
        """Leave the group and let go of everything."""
        self._ownership.close()
        self._transform.close()

    def turn(self) -> int:
        """Do steps 1 to 8 once and return how many records were read."""
        if self._ownership.restoring:
            self._restore()  # 1
        if self._ownership.active:
            self._delivery.ready()
        messages = self._batches.read(self._patience_seconds)  # 2
        batch = Decoding(messages, self._ownership.active, self._transform.decode)  # 3, 4
        try:
            self._handle(batch)
        except Abandoned as why:
            self._undo(why)
            self._ownership.rewind(batch.firsts)
        except Unknown as why:
            self._undo(why)
            self._ownership.start_over()
        self._lag.measure()
        return len(batch)

    def _restore(self) -> None:
        begun = self._ownership.step()
        try:
            if begun:
                self._delivery.claim(begun)
            if self._ownership.stalled():
                self._delivery.settle()
        except (Abandoned, Unknown) as why:
            _log.warning("offsets as they were", why=str(why))

    @property
    def _patience_seconds(self) -> float:
        if not self._ownership.restoring:
            return self._poll_seconds
        return 0 if self._ownership.reading else _RESTORE_POLL_SECONDS

    def _handle(self, batch: Decoding[M]) -> None:
        started = monotonic_seconds()
        outputs = [*self._transform.tick(), *self._transform.handle(batch)]  # 5
        records, rejected = len(batch), batch.rejected
        handled = monotonic_seconds()
        metrics.STAGE_SECONDS.labels("decode").observe(batch.seconds)
        metrics.STAGE_SECONDS.labels("handle").observe(handled - started - batch.seconds)
        if records:
            self._rejections.note(records, len(rejected), rejected[-1] if rejected else None)
        if not records and not outputs:
            return
        with metrics.STAGE_SECONDS.labels("deliver").time():
            self._delivery.begin()  # 6
            self._delivery.write(outputs)
            if rejected:
                self._delivery.write(dead_letter(item) for item in rejected)
            if records:
                self._batches.size.took(records, monotonic_seconds() - started)
            self._delivery.wait()
        offsets = {place: record.offset + 1 for place, record in batch.newest.items()}
        # Without records the last offsets go again: the group's generation is checked with them, so that a
        # worker that has lost its partitions without knowing cannot write to them.
        with metrics.STAGE_SECONDS.labels("commit").time():
            self._delivery.commit(
                [TopicPartition(*place, offset) for place, offset in (offsets or self._offsets).items()]  # 7
            )
        self._transform.kept(self._delivery.ends)  # 8
        self._offsets.update(offsets)
        if records:
            tell(batch.counts, rejected)
            self._lag.committed(batch.newest.values())

    def _changed(self, partitions: Partitions) -> None:
        # A partition that comes back may have been read further by another worker meanwhile.
        self._offsets = {place: offset for place, offset in self._offsets.items() if place[1] in partitions.active}
        self._lag.own(self._transform.sources, partitions.active)
        self._on_change(partitions)

    def _undo(self, why: Exception) -> None:
        metrics.ABANDONED.inc()
        _log.warning("batch undone", why=str(why))
        self._transform.abandoned()
        sleep_seconds(_AFTER_ABANDON_SECONDS)
