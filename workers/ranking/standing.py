"""The newest slate of every owned user, and which users hold an item: so that a withdrawn item leaves them."""

from collections.abc import Iterable, Sequence
from sys import intern
from typing import NamedTuple


class Stamp(NamedTuple):
    """What else is known of a published slate.

    Attributes:
        made_by: what made it, beside the user: slates of equal items and equal `made_by` are the same.
        made_ms: `generated_at`, milliseconds since the epoch.
    """

    made_by: str
    made_ms: int


UNSTAMPED = Stamp("", 0)
_NONE: tuple[tuple[str, ...], Stamp] = ((), UNSTAMPED)


class StandingSlates:
    """Which items stand in whose slate, by partition. Of an item only its id is kept, once for all slates."""

    def __init__(self) -> None:
        self._slates: dict[int, dict[bytes, tuple[tuple[str, ...], Stamp]]] = {}
        self._holders: dict[str, set[tuple[int, bytes]]] = {}
        self._before: list[tuple[int, bytes, tuple[tuple[str, ...], Stamp]]] = []

    def __len__(self) -> int:
        """Return how many slates stand."""
        return sum(map(len, self._slates.values()))

    def open(self, partitions: Iterable[int]) -> None:
        """Begin these partitions empty."""
        self.drop(partitions := tuple(partitions))
        self._slates.update({number: {} for number in partitions})

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget these partitions."""
        for number in partitions:
            for key in tuple(self._slates.get(number, ())):
                self.load(number, key, ())
            self._slates.pop(number, None)

    def put(self, partition: int, key: bytes, item_ids: Sequence[str], stamp: Stamp = UNSTAMPED) -> None:
        """Replace the slate of a user; no items means that none stands. Part of the open batch."""
        self._before.append((partition, key, self._slates[partition].get(key, _NONE)))
        self.load(partition, key, item_ids, stamp)

    def keep(self) -> None:
        """Make the open batch permanent."""
        self._before.clear()

    def undo(self) -> None:
        """Put back the slates from before the open batch."""
        for partition, key, (item_ids, stamp) in reversed(self._before):
            if partition in self._slates:
                self.load(partition, key, item_ids, stamp)
        self._before.clear()

    def load(self, partition: int, key: bytes, item_ids: Sequence[str], stamp: Stamp = UNSTAMPED) -> None:
        """Replace a slate, as no part of a batch."""
        place = (partition, key)
        for item_id in self._slates[partition].pop(key, _NONE)[0]:
            holders = self._holders[item_id]
            holders.discard(place)
            if not holders:
                del self._holders[item_id]
        if item_ids:
            self._slates[partition][key] = (tuple(map(intern, item_ids)), stamp)
            for item_id in self._slates[partition][key][0]:
                self._holders.setdefault(item_id, set()).add(place)

    def get(self, partition: int, key: bytes) -> tuple[str, ...]:
        """Return the items of a user's slate, () where none stands."""
        return self._slates[partition].get(key, _NONE)[0]

    def stamp(self, partition: int, key: bytes) -> Stamp:
        """Return the stamp of a user's slate, `UNSTAMPED` where none stands."""
        return self._slates[partition].get(key, _NONE)[1]

    def holders(self, item_id: str) -> frozenset[tuple[int, bytes]]:
        """Return (partition, key) of every user whose slate holds the item."""
        return frozenset(self._holders.get(item_id, ()))

    @property
    def item_count(self) -> int:
        """Return how many items stand in some slate."""
        return len(self._holders)

    def items(self) -> tuple[str, ...]:
        """Return every item that stands in some slate."""
        return tuple(self._holders)

    def everyone(self) -> list[tuple[int, bytes]]:
        """Return (partition, key) of every user who has a slate."""
        return [(number, key) for number, slates in self._slates.items() for key in slates]
