"""Standing slates that are to be made again, and how many of them may be in one turn."""

from collections.abc import Container, Iterable, Mapping
from itertools import chain, islice

from streams.clock import Clock, monotonic_seconds

Place = tuple[int, bytes]
"""Partition and key of a user."""
_MOST_A_TURN = 200
"""So that fresh events never wait for more than that."""


class Allowance:
    """So many a second, at most those of one second at once.

    Args:
        per_second: above 0.
    """

    def __init__(self, per_second: float, clock: Clock = monotonic_seconds) -> None:
        self._per_second = per_second
        self._clock = clock
        self._left = self._most = max(1.0, per_second)
        self._at = clock()

    def left(self) -> int:
        """Return how many may be taken now."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        return int(self._left)

    def take(self, count: int) -> None:
        """Take `count` of those that `left` returned."""
        self._left -= count


class Waiting:
    """Users whose slate waits to be made again: those who lost an item first, then those with an older model.

    A new model waits for everybody at once, and is let in at `per_second`; an item that must not be shown any
    more does not wait behind it.
    """

    def __init__(self, per_second: float, clock: Clock = monotonic_seconds) -> None:
        self._allowance = Allowance(per_second, clock)
        self._lost: dict[Place, None] = {}
        self._older: dict[Place, None] = {}
        self._taken: tuple[dict[Place, None], dict[Place, None]] = ({}, {})

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._lost) + sum(place not in self._lost for place in self._older)

    def lost_an_item(self, places: Iterable[Place]) -> None:
        """Let these wait to be made without the item."""
        self._lost.update(dict.fromkeys(places))

    def older_model(self, places: Iterable[Place]) -> None:
        """Let these wait to be made by the new model."""
        self._older.update(dict.fromkeys(places))

    def turn(self, active: Container[int]) -> list[Place]:
        """Take those whose turn it is, of the partitions that are `active`."""
        lost = list(islice((place for place in self._lost if place[0] in active), _MOST_A_TURN))
        most = min(_MOST_A_TURN - len(lost), self._allowance.left())
        older = list(
            islice((place for place in self._older if place[0] in active and place not in self._lost), most)
        )
        self._allowance.take(len(older))
        for place in chain(lost, older):
            self.take(place)
        return [*lost, *older]

    def take(self, place: Place) -> None:
        """Let a user wait no longer: a slate is made in the open batch."""
        for waiting, taken in zip((self._lost, self._older), self._taken, strict=True):
            if place in waiting:
                del waiting[place]
                taken[place] = None

    def keep(self) -> None:
        """Make the open batch permanent."""
        for taken in self._taken:
            taken.clear()

    def undo(self) -> None:
        """Let those wait again that were taken in the open batch."""
        for waiting, taken in zip((self._lost, self._older), self._taken, strict=True):
            waiting.update(taken)
        self.keep()

    def drop(self, partitions: Container[int]) -> None:
        """Forget the users of these partitions."""
        self._lost, self._older = (_without(waiting, partitions) for waiting in (self._lost, self._older))


def _without(waiting: Mapping[Place, None], partitions: Container[int]) -> dict[Place, None]:
    return {place: None for place in waiting if place[0] not in partitions}
