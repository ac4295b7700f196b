"""Reads the changelogs of newly assigned partitions back, a slice a call, while the others go on.

For the partitions of one assignment:

1. ask for the group's *stable* offsets of the sources: the answer comes when no transaction of an earlier owner
   is between its offsets and its end;
2. ask where the changelogs end now, open transactions included;
3. read them, committed records only, until the last stable offset has passed those ends;
4. the partitions are restored; their sources start at the offsets of step 1.

In this order no batch can be in the offsets and not in the state: its markers reach the topics one by one, and
the changelog's may be the last. A dead owner's open transaction is waited for; `streams/fencing.py` ends it.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from streams import metrics
from streams.arrivals import place_of
from streams.clock import monotonic_seconds
from streams.errors import BrokerError
from streams.transform import Changelog

_log = structlog.get_logger()
_SLICE_RECORDS = 5_000
_WAIT_SECONDS = 0.005
_ASK_AGAIN_SECONDS = 0.05
_REQUEST_SECONDS = 10.0
_STALLED_SECONDS = 2.0
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
Place = tuple[str, int]


class Restore:
    """The restore of one assignment.

    Args:
        make_admin: returns an admin client. After the leader of a partition has changed, one that is kept asks
            with the epoch of the old one for ever (`FENCED_LEADER_EPOCH`, librdkafka 2.16).
        group: whose offsets tell where the sources start.
        make_reader: returns a consumer outside the group, read committed, that tells ends of partitions.
        unblock: told the partitions once the broker has answered something, before step 1.

    Attributes:
        reading: whether the last step found something to read, so that the next should follow at once.
    """

    def __init__(
        self,
        make_admin: Callable[[], AdminClient],
        make_reader: Callable[[], Consumer],
        group: str,
        sources: Sequence[str],
        *,
        partitions: Sequence[int],
        changelogs: Sequence[Changelog],
        unblock: Callable[[frozenset[int]], None] = lambda _: None,
    ) -> None:
        self._unblock = unblock
        self._make_admin = make_admin
        self._admin = make_admin()
        self._make_reader = make_reader
        self._group = group
        self._sources = sources
        self._changelogs = {changelog.topic: changelog for changelog in changelogs}
        self._reader: Consumer | None = None
        self._answers: dict[Any, Future[Any]] | None = None
        self._ask_at = 0.0
        self._step = self._await_broker
        self._starts: list[TopicPartition] = []
        self._left: dict[Place, int] = {}
        self._positions: dict[Place, int] = {}
        self._records = dict.fromkeys(self._changelogs, 0)
        self._started_at = self._asked_at = monotonic_seconds()
        self._unstable = False
        self._assigned: set[Place] = set()
        self.reading = False
        self.partitions = frozenset(partitions)

    def step(self) -> bool:
        """Go on for some milliseconds and return whether everything was read back.

        Raises:
            BrokerError: the broker refuses for good.
        """
        return not self.partitions or self._step()

    def drop(self, partitions: Sequence[int]) -> None:
        """Leave these partitions out; another worker has them now."""
        self.partitions -= set(partitions)
        self._left = {place: end for place, end in self._left.items() if place[1] in self.partitions}
        if self._reader is not None:
            gone = {place for place in self._assigned if place[1] in set(partitions)}
            self._reader.incremental_unassign([TopicPartition(*place) for place in gone])
            self._assigned -= gone

    def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.close()

    @property
    def records_left(self) -> int:
        """How many offsets are still to be read, as far as is known."""
        return sum(max(0, end - self._positions.get(place, 0)) for place, end in self._left.items())

    def starts(self) -> list[TopicPartition]:
        """Return where the sources start, with the name of whoever committed it.

        Where the group has no offset, a negative one stands, and its consumer's reset rule decides.
        """
        return [start for start in self._starts if start.partition in self.partitions]

    def stalled(self) -> bool:
        """Return, once every few seconds, whether step 1 still has no answer."""
        now = monotonic_seconds()
        if self._step != self._await_stable_offsets or now - self._asked_at < _STALLED_SECONDS:
            return False
        self._asked_at = now
        return True

    def _await_broker(self) -> bool:
        """Ask for what no coordinator is needed for; a request to one that is away may abort the process.

        That is librdkafka's `Assertion eonce->refcnt > 0`, when the connection is lost or made again at the wrong
        moment (2.16; its pull request 5397).
        """
        place = TopicPartition(self._sources[0], min(self.partitions))
        if (
            self._answered(lambda: self._admin.list_offsets({place: _LATEST}, request_timeout=_REQUEST_SECONDS))
            is None
        ):
            return False
        self._unblock(self.partitions)
        self._asked_at = monotonic_seconds()
        self._ask_at = 0.0
        self._step = self._await_stable_offsets
        return self._step()

    def _await_stable_offsets(self) -> bool:
        sources = [TopicPartition(topic, number) for topic in self._sources for number in self.partitions]
        asked = ConsumerGroupTopicPartitions(self._group, sources)
        found = self._answered(
            lambda: self._admin.list_consumer_group_offsets(
                [asked], require_stable=True, request_timeout=_REQUEST_SECONDS
            )
        )
        if found is None:
            return False
        (answer,) = found.values()
        unstable = [each.error.str() for each in answer.topic_partitions if each.error is not None]
        if unstable:
            if not self._unstable:
                _log.warning("restore: the group's offsets are not stable yet", error=unstable[0])
            self._unstable = True
            return False
        self._starts = [
            TopicPartition(each.topic, each.partition, each.offset, each.metadata or "")
            for each in answer.topic_partitions
        ]
        self._step = self._await_ends
        return False

    def _await_ends(self) -> bool:
        places = [TopicPartition(topic, number) for topic in self._changelogs for number in self.partitions]
        found = self._answered(
            lambda: self._admin.list_offsets(
                dict.fromkeys(places, _LATEST),
                isolation_level=IsolationLevel.READ_UNCOMMITTED,
                request_timeout=_REQUEST_SECONDS,
            )
        )
        if found is None:
            return False
        ends = {(place.topic, place.partition): answer.offset for place, answer in found.items()}
        for (topic, number), end in ends.items():
            if number not in self.partitions:
                continue
            start = self._changelogs[topic].start(number, end)
            self._positions[topic, number] = start
            if start < end:
                self._left[topic, number] = end
        starts = [TopicPartition(*place, self._positions[place]) for place in self._left]
        if starts:
            self._reader = self._make_reader()
            self._reader.incremental_assign(starts)
            self._assigned = set(self._left)
        self._step = self._read
        return self._read()

    def _read(self) -> bool:
        reader = self._reader
        if not self._left or reader is None:
            self._done()
            return True
        first = reader.poll(_WAIT_SECONDS)
        messages = [first, *reader.consume(_SLICE_RECORDS, 0)] if first is not None else []
        self.reading = bool(messages)
        for message in messages:
            error = message.error()
            if error is None:
                self._load(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._stable_end(message)
            elif error.fatal():
                raise BrokerError(f"The broker refuses this reader: {error.str()}.", "read the broker's log.")
            else:
                _log.warning("restore", error=error.str())
        for (topic, number), position in self._positions.items():
            if number in self.partitions:
                self._changelogs[topic].loaded(number, position)
        if not self._left:
            self._done()
        return not self._left

    def _load(self, message: Message) -> None:
        topic, number, offset = place_of(message)
        if number not in self.partitions:
            return
        self._positions[topic, number] = offset + 1
        key = message.key()
        if key is not None:  # a compacted topic of ours has no record without a key
            self._changelogs[topic].load(number, key, message.value())
            self._records[topic] += 1

    def _stable_end(self, message: Message) -> None:
        topic, number, offset = place_of(message)
        place = (topic, number)
        if number in self.partitions:
            self._positions[place] = max(offset, self._positions[place])
            if offset >= self._left.get(place, 0):
                self._left.pop(place, None)

    def _done(self) -> None:
        for topic, records in self._records.items():
            metrics.RESTORED.labels(topic).inc(records)
        _log.info(
            "restored",
            partitions=sorted(self.partitions),
            records=sum(self._records.values()),
            seconds=round(monotonic_seconds() - self._started_at, 3),
        )

    def _answered(self, ask: Callable[[], Mapping[Any, Future[Any]]]) -> dict[Any, Any] | None:
        """Return the answers of a request when all are there; ask, and ask again, without waiting."""
        if self._answers is None:
            if monotonic_seconds() < self._ask_at:
                return None
            self._ask_at = monotonic_seconds() + _ASK_AGAIN_SECONDS
            self._answers = dict(ask())
        if not all(future.done() for future in self._answers.values()):
            return None
        answers, self._answers = self._answers, None
        try:
            return {key: future.result() for key, future in answers.items()}
        except KafkaException as error:
            _log.warning("restore: asking again", error=error.args[0].str())
            self._admin = self._make_admin()
            return None
