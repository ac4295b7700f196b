"""The newest slate of every owned user, and which users hold an item: so that a withdrawn item leaves them."""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from workers.ranking.waiting import Place


class Stamp(NamedTuple):
    """What else is known of a published slate.

    Attributes:
        made_by: what made it, beside the user: slates of equal items and equal `made_by` are the same.
        made_ms: `generated_at`, milliseconds since the epoch.
    """

    made_by: str
    made_ms: int


UNSTAMPED = Stamp("", 0)
_END = -1


class StandingSlates:
    """Which items stand in whose slate, by partition.

    A slate is a line of `width` slots, and the slots of one item are a doubly linked list: a million slates of ten
    items take 0.4 GB, where tuples and a set of users for each item took 1.2, and no question asks all slates.
    """

    def __init__(self) -> None:
        self._lines: dict[int, dict[bytes, int]] = {}
        self._places: list[Place] = []
        self._stamps: list[Stamp] = []
        self._free: list[int] = []
        self._before: list[tuple[Place, tuple[str, ...], Stamp]] = []
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._width = 1
        # Of each item: its first slot. Of each slot: its item, and the item's slots after and before it.
        self._first, self._item, self._next, self._previous = (array("i") for _ in range(4))
        self.item_count = 0
        """How many items stand in some slate."""

    def __len__(self) -> int:
        """Return how many slates stand."""
        return sum(map(len, self._lines.values()))

    def open(self, partitions: Iterable[int]) -> None:
        """Begin these partitions empty."""
        self.drop(partitions := tuple(partitions))
        self._lines.update({number: {} for number in partitions})

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget these partitions."""
        for number in partitions:
            for key in tuple(self._lines.get(number, ())):
                self.load(number, key, ())
            self._lines.pop(number, None)

    def put(self, partition: int, key: bytes, item_ids: Sequence[str], stamp: Stamp = UNSTAMPED) -> None:
        """Replace the slate of a user; no items means that none stands. Part of the open batch."""
        self._before.append(((partition, key), self.get(partition, key), self.stamp(partition, key)))
        self.load(partition, key, item_ids, stamp)

    def keep(self) -> None:
        """Make the open batch permanent."""
        self._before.clear()

    def undo(self) -> None:
        """Put back the slates from before the open batch."""
        for (partition, key), item_ids, stamp in reversed(self._before):
            if partition in self._lines:
                self.load(partition, key, item_ids, stamp)
        self._before.clear()

    def load(self, partition: int, key: bytes, item_ids: Sequence[str], stamp: Stamp = UNSTAMPED) -> None:
        """Replace a slate, as no part of a batch."""
        line = self._lines[partition].pop(key, None)
        if line is not None:
            self._clear(line)
            self._free.append(line)
        if item_ids:
            if len(item_ids) > self._width:
                self._widen(len(item_ids))
            line = self._lines[partition][key] = self._new_line()
            self._places[line], self._stamps[line] = (partition, key), stamp
            self._fill(line, [self._number(item_id) for item_id in item_ids])

    def get(self, partition: int, key: bytes) -> tuple[str, ...]:
        """Return the items of a user's slate, () where none stands."""
        line = self._lines[partition].get(key)
        return () if line is None else tuple(self._ids[number] for number in self._listed(line))

    def stamp(self, partition: int, key: bytes) -> Stamp:
        """Return the stamp of a user's slate, `UNSTAMPED` where none stands."""
        line = self._lines[partition].get(key)
        return UNSTAMPED if line is None else self._stamps[line]

    def holders(self, item_id: str) -> list[Place]:
        """Return partition and key of every user whose slate holds the item."""
        slot, found = self._first[self._numbers[item_id]] if item_id in self._numbers else _END, []
        while slot != _END:
            found.append(self._places[slot // self._width])
            slot = self._next[slot]
        return found

    def items(self) -> tuple[str, ...]:
        """Return every item that stands in some slate."""
        return tuple(item_id for item_id, slot in zip(self._ids, self._first, strict=True) if slot != _END)

    def everyone(self) -> list[Place]:
        """Return partition and key of every user who has a slate."""
        return [(number, key) for number, lines in self._lines.items() for key in lines]

    def _number(self, item_id: str) -> int:
        number = self._numbers.setdefault(item_id, len(self._ids))
        if number == len(self._ids):
            self._ids.append(item_id)
            self._first.append(_END)
        return number

    def _new_line(self) -> int:
        if self._free:
            return self._free.pop()
        for column in (self._item, self._next, self._previous):
            column.extend([_END] * self._width)
        self._places.append((_END, b""))
        self._stamps.append(UNSTAMPED)
        return len(self._places) - 1

    def _widen(self, width: int) -> None:
        lines = [line for lines in self._lines.values() for line in lines.values()]
        slates = [self._listed(line) for line in lines]
        for line in lines:
            self._clear(line)
        self._width = width
        self._item, self._next, self._previous = (
            array("i", [_END]) * (width * len(self._places)) for _ in range(3)
        )
        for line, slate in zip(lines, slates, strict=True):
            self._fill(line, slate)

    def _listed(self, line: int) -> list[int]:
        slots = self._item[line * self._width : (line + 1) * self._width]
        return [number for number in slots if number != _END]

    def _fill(self, line: int, numbers: Sequence[int]) -> None:
        for slot, number in enumerate(numbers, line * self._width):
            after = self._first[number]
            self._item[slot], self._next[slot], self._previous[slot] = number, after, _END
            self._first[number] = slot
            if after == _END:
                self.item_count += 1
            else:
                self._previous[after] = slot

    def _clear(self, line: int) -> None:
        for slot, number in enumerate(self._listed(line), line * self._width):
            before, after = self._previous[slot], self._next[slot]
            if before == _END:
                self._first[number] = after
                self.item_count -= after == _END
            else:
                self._next[before] = after
            if after != _END:
                self._previous[after] = before
            self._item[slot] = _END
