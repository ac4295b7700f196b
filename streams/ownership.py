"""Which partitions this worker has, and since when it may read them.

A partition goes through:

1. assigned: the transform opens it; nothing of it is read yet;
2. restoring: its changelogs are read back, in slices between the turns of the partitions that stay;
3. active: its sources are assigned to the consumer, at the group's stable offsets;
4. revoked, at any time: whatever step it is in, it is dropped.

Sources are assigned late rather than paused early: a partition that was resumed while librdkafka was still asking
for its first offset stood still for ever (seen under load, 2.16).

Partition p belongs to one worker at a time *across topics*: the first source is subscribed to, the same
partition numbers of the others are assigned by hand, here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams import metrics
from streams.fencing import fence_in_background
from streams.kafka import admin, consumer
from streams.restore import Restore
from streams.settings import Settings
from streams.transform import Transform

_log = structlog.get_logger()


class Partitions(NamedTuple):
    """The partitions of a worker."""

    active: frozenset[int] = frozenset()
    restoring: frozenset[int] = frozenset()

    @property
    def owned(self) -> frozenset[int]:
        """All of them."""
        return self.active | self.restoring


class Ownership:
    """Subscribes, and keeps transform and consumer in step with what the group says.

    Args:
        group: the consumer's.
        on_change: told whenever a partition comes, becomes active or goes.

    Attributes:
        active: partitions that are restored.
    """

    def __init__(
        self,
        transform: Transform[Any],
        reader: Consumer,
        group: str,
        settings: Settings,
        on_change: Callable[[Partitions], None],
    ) -> None:
        self._transform = transform
        self._consumer = reader
        self._group = group
        self._settings = settings
        self._on_change = on_change
        self._restores: list[Restore] = []
        self.active: frozenset[int] = frozenset()
        reader.subscribe(
            [transform.sources[0]],
            on_assign=lambda _, partitions: self._assign(_numbers(partitions)),
            on_revoke=lambda _, partitions: self._revoke(_numbers(partitions)),
            on_lost=lambda _, partitions: self._revoke(_numbers(partitions)),
        )

    @property
    def restoring(self) -> bool:
        """Whether some partitions wait for their state."""
        return bool(self._restores)

    @property
    def reading(self) -> bool:
        """Whether a restore has more to read at once; the others wait for the broker."""
        return any(restore.reading for restore in self._restores)

    def stalled(self) -> bool:
        """Return, once every few seconds, whether the group's offsets are still not stable."""
        return any(restore.stalled() for restore in self._restores)

    def step(self) -> list[TopicPartition]:
        """Do a slice of step 2, and step 3 for the partitions that are through.

        Returns:
            Where the partitions that are through start, as of `Restore.starts`.
        """
        begun: list[TopicPartition] = []
        for restore in self._restores:
            if not restore.step():
                continue
            numbers = sorted(restore.partitions)
            restore.close()
            self._restores = [other for other in self._restores if other is not restore]
            self._transform.restored(numbers)
            starts = restore.starts()
            self._consumer.incremental_assign(starts)
            self.active |= restore.partitions
            begun += starts
            self._changed()
        self._tell_left()
        return begun

    def start_over(self) -> None:
        """Read the state of every active partition back from the log, and its sources from the group's offsets."""
        numbers = sorted(self.active)
        self._revoke(numbers)
        self._assign(numbers)

    def rewind(self, firsts: Sequence[TopicPartition]) -> None:
        """Go back to these offsets."""
        try:
            for first in firsts:
                self._consumer.seek(first)
        except KafkaException as error:
            _log.warning("cannot go back", error=error.args[0].str())
            self.start_over()

    def close(self) -> None:
        """Leave the group; what is still being restored is given up before the group takes it away."""
        for restore in self._restores:
            restore.close()
        self._restores = []
        self._consumer.close()

    def _assign(self, numbers: Sequence[int]) -> None:
        changelogs = self._transform.assigned(numbers)
        self._consumer.incremental_assign([])  # the group waits for this answer
        if numbers:
            self._restores.append(
                Restore(
                    lambda: admin(self._settings),
                    lambda: consumer(self._settings, None),
                    self._group,
                    self._transform.sources,
                    partitions=numbers,
                    changelogs=changelogs,
                    unblock=self._fence,
                )
            )
        self._changed()

    def _fence(self, numbers: frozenset[int]) -> None:
        fence_in_background(self._settings, self._group, self._sources(numbers))

    def _revoke(self, numbers: Sequence[int]) -> None:
        self._consumer.incremental_unassign(self._sources(self.active & set(numbers)))
        for restore in self._restores:
            restore.drop(numbers)
            if not restore.partitions:
                restore.close()
        self._restores = [restore for restore in self._restores if restore.partitions]
        self._transform.revoked(numbers)
        self.active -= set(numbers)
        self._changed()

    def _tell_left(self) -> None:
        metrics.RESTORE_LEFT.set(sum(restore.records_left for restore in self._restores))

    def _sources(self, numbers: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in self._transform.sources for number in numbers]

    def _changed(self) -> None:
        restoring = frozenset[int]().union(*(restore.partitions for restore in self._restores))
        partitions = Partitions(self.active, restoring)
        metrics.OWNED.set(len(partitions.owned))
        metrics.RESTORING.set(len(restoring))
        self._tell_left()
        _log.info(
            "partitions",
            active=sorted(self.active),
            restoring=sorted(restoring),
            topics=list(self._transform.sources),
        )
        self._on_change(partitions)


def _numbers(partitions: Sequence[TopicPartition]) -> list[int]:
    return sorted(partition.partition for partition in partitions)
