"""The newest slate of every owned user, and which users hold an item: so that a withdrawn item leaves them."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
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

    Items are rows of the catalogue. A slate is a line of `width` slots, and the slots of one item are a doubly
    linked list, so that no question looks at all slates; tuples and a set of users an item take thrice as much.

    Attributes:
        item_count: how many items stand in some slate.
    """

    def __init__(self) -> None:
        self._lines: dict[int, dict[bytes, int]] = {}
        self._keys: list[bytes] = []
        self._partitions = array("i")
        # What made each slate, as a place in `_makers`: few models make all slates. Tuples took 190 bytes a user.
        self._made_by, self._made_ms = array("i"), array("q")
        self._makers: list[str] = []
        self._maker_numbers: dict[str, int] = {}
        self._free: list[int] = []
        self._before: list[tuple[Place, tuple[int, ...], Stamp]] = []
        self._width = 1
        # Of each item: its first slot. Of each slot: its item, and the item's slots after and before it.
        self._first, self._row, self._next, self._previous = (array("i") for _ in range(4))
        self.item_count = 0

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

    def put(self, partition: int, key: bytes, rows: Sequence[int], stamp: Stamp = UNSTAMPED) -> None:
        """Replace the slate of a user; no rows means that none stands. Part of the open batch."""
        self._before.append(((partition, key), self.get(partition, key), self.stamp(partition, key)))
        self.load(partition, key, rows, stamp)

    def keep(self) -> None:
        """Make the open batch permanent."""
        self._before.clear()

    def undo(self) -> None:
        """Put back the slates from before the open batch."""
        for (partition, key), rows, stamp in reversed(self._before):
            if partition in self._lines:
                self.load(partition, key, rows, stamp)
        self._before.clear()

    def load(self, partition: int, key: bytes, rows: Sequence[int], stamp: Stamp = UNSTAMPED) -> None:
        """Replace a slate, as no part of a batch."""
        line = self._lines[partition].pop(key, None)
        if line is not None:
            self._clear(line)
            self._free.append(line)
        if rows:
            self._make_room(len(rows), max(rows))
            line = self._lines[partition][key] = self._new_line()
            self._keys[line], self._partitions[line], self._made_ms[line] = key, partition, stamp.made_ms
            self._made_by[line] = self._maker(stamp.made_by)
            self._fill(line, rows)

    def get(self, partition: int, key: bytes) -> tuple[int, ...]:
        """Return the rows of a user's slate, () where none stands."""
        line = self._lines[partition].get(key)
        return () if line is None else tuple(self._listed(line))

    def stamp(self, partition: int, key: bytes) -> Stamp:
        """Return the stamp of a user's slate, `UNSTAMPED` where none stands."""
        line = self._lines[partition].get(key)
        if line is None:
            return UNSTAMPED
        return Stamp(self._makers[self._made_by[line]], self._made_ms[line])

    def holders(self, row: int) -> list[Place]:
        """Return partition and key of every user whose slate holds the item."""
        slot, found = self._first[row] if row < len(self._first) else _END, []
        while slot != _END:
            line = slot // self._width
            found.append((self._partitions[line], self._keys[line]))
            slot = self._next[slot]
        return found

    def rows(self) -> list[int]:
        """Return every item that stands in some slate."""
        return [row for row, slot in enumerate(self._first) if slot != _END]

    def everyone(self) -> list[Place]:
        """Return partition and key of every user who has a slate."""
        return [(number, key) for number, lines in self._lines.items() for key in lines]

    def _maker(self, made_by: str) -> int:
        if made_by not in self._maker_numbers:
            self._maker_numbers[made_by] = len(self._makers)
            self._makers.append(made_by)
        return self._maker_numbers[made_by]

    def _new_line(self) -> int:
        if self._free:
            return self._free.pop()
        for column in (self._row, self._next, self._previous):
            column.extend([_END] * self._width)
        self._keys.append(b"")
        self._partitions.append(_END)
        self._made_by.append(_END)
        self._made_ms.append(0)
        return len(self._keys) - 1

    def _make_room(self, width: int, row: int) -> None:
        self._first.extend([_END] * (row + 1 - len(self._first)))
        if width <= self._width:
            return
        lines = [*chain.from_iterable(lines.values() for lines in self._lines.values())]
        slates = [self._listed(line) for line in lines]
        for line in lines:
            self._clear(line)
        self._width = width
        self._row, self._next, self._previous = (array("i", [_END]) * (width * len(self._keys)) for _ in range(3))
        for line, slate in zip(lines, slates, strict=True):
            self._fill(line, slate)

    def _listed(self, line: int) -> list[int]:
        slots = self._row[line * self._width : (line + 1) * self._width]
        return [row for row in slots if row != _END]

    def _fill(self, line: int, rows: Sequence[int]) -> None:
        for slot, row in enumerate(rows, line * self._width):
            after = self._first[row]
            self._row[slot], self._next[slot], self._previous[slot] = row, after, _END
            self._first[row] = slot
            if after == _END:
                self.item_count += 1
            else:
                self._previous[after] = slot

    def _clear(self, line: int) -> None:
        for slot, row in enumerate(self._listed(line), line * self._width):
            before, after = self._previous[slot], self._next[slot]
            if before == _END:
                self._first[row] = after
                self.item_count -= after == _END
            else:
                self._next[before] = after
            if after != _END:
                self._previous[after] = before
            self._row[slot] = _END
