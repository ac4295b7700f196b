"""Looks at every partition of the sources: how far behind it is, and whether it moves at all.

Faust and aiokafka have stopped fetching single partitions for ever (faust-streaming #629, #175), and recoveries
have hung (#597): neither is seen from inside. So the ends of the partitions are asked of the broker, and a
partition that has records and does not move ends the process; the next one starts afresh.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from faust.types import TP

from streams.clock import Clock, monotonic_seconds, wall_seconds
from streams.errors import Transient
from streams.feedback import metrics

Place = tuple[str, int]


class Seen(NamedTuple):
    """What was seen of a partition.

    Attributes:
        position: next offset that will be fetched.
        handled: offset of the newest handled record, -1 before the first.
        end: the broker's next offset.
        waiting: records were fetched and not yet handled.
    """

    position: int
    handled: int
    end: int
    waiting: bool

    @property
    def behind(self) -> int:
        """Return how many records are still to be handled; markers of transactions count until they are passed."""
        reached = max(self.handled + 1, 0) if self.waiting else self.position
        return max(0, self.end - reached)


class Stalls:
    """Says which partition has stood still for too long. Pure but for the clock.

    Args:
        seconds: how long a partition with records may stand still.
    """

    def __init__(self, seconds: float, clock: Clock = monotonic_seconds) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[Place, tuple[tuple[int, int], float]] = {}

    def reset(self) -> None:
        """Begin anew, after a rebalance."""
        self._since.clear()

    def check(self, seen: Mapping[Place, Seen]) -> Place | None:
        """Return a partition that is behind and has not moved for `seconds`, or None."""
        now = self._clock()
        for place, found in seen.items():
            moved = (found.position, found.handled)
            before = self._since.get(place)
            if not found.behind or before is None or before[0] != moved:
                self._since[place] = (moved, now)
            elif now - before[1] > self._seconds:
                return place
        return None


class Progress:
    """Measures lag and ends what stands still. `look` is called every few seconds."""

    def __init__(self, app: Any, newest: Mapping[Place, tuple[int, int]], stall_seconds: float) -> None:
        self._app = app
        self._newest = newest
        self._stalls = Stalls(stall_seconds)
        self._recovery = Stalls(stall_seconds)
        self._owned: frozenset[Place] = frozenset()

    def recovered(self, owned: frozenset[Place]) -> None:
        """Take the partitions that are owned now; lag of the others is no longer told."""
        for topic, partition in self._owned - owned:
            metrics.LAG_RECORDS.remove(topic, str(partition))
            metrics.LAG_SECONDS.remove(topic, str(partition))
        self._owned = owned
        self._stalls.reset()
        self._recovery.reset()

    async def look(self) -> None:
        """Measure every owned partition.

        Raises:
            Transient: one stands still.
        """
        if self._app.rebalancing or not self._owned:
            left = self._app.tables.recovery.active_remaining_total() if self._app.rebalancing else 0
            if self._recovery.check({("recovery", 0): Seen(0, -left, left, False)}) is not None:
                raise Transient(f"the recovery of the tables stands still with {left} records to go")
            return
        seen = await self._seen()
        for (topic, partition), found in seen.items():
            created_ms = self._newest.get((topic, partition), (0, 0))[1]
            age_seconds = wall_seconds() - created_ms / 1000 if created_ms else 0.0
            metrics.LAG_RECORDS.labels(topic, str(partition)).set(found.behind)
            metrics.LAG_SECONDS.labels(topic, str(partition)).set(max(0.0, age_seconds) if found.behind else 0)
        if (stuck := self._stalls.check(seen)) is not None:
            raise Transient(
                f"partition {stuck[1]} of {stuck[0]} stands still with {seen[stuck].behind} records to go"
            )

    async def _seen(self) -> dict[Place, Seen]:
        consumer = self._app.consumer
        owned = [TP(topic, number) for topic, number in sorted(self._owned)]
        ends = await consumer.highwaters(*owned)
        waiting = {(message.topic, message.partition) for message in tuple(consumer.unacked) if not message.acked}
        found = {}
        for tp in owned:
            place = (tp.topic, tp.partition)
            position = await consumer.position(tp)
            handled = self._newest.get(place, (-1, 0))[0]
            found[place] = Seen(position or 0, handled, ends.get(tp, 0), place in waiting)
        return found
