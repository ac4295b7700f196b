"""Rows by id, for millions of ids and many questions at once."""

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
UNKNOWN = -1
_FORGOTTEN = -2
_FEW = 24
"""From here on the overhead of arrays is less than that of a loop."""
_FIRST_SLOTS = 2_048


class IdRows:
    """Gives each new id the next row. A hash table in one array, with open addressing.

    A question to a `dict` of a million ids waits for memory four times, and a start of a worker that knows a
    million users asks 20 million. Here it waits once, and those of one call wait together. An id is known by
    Python's 64-bit hash of it, whose seed nobody knows: two of a million ids are taken for one with a chance of
    3e-8.
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        """Give these ids, distinct, the first rows."""
        numbers = np.fromiter(map(hash, ids), np.int64)
        self._count = len(numbers)  # rows that were ever given
        self._forgotten = 0
        self._make(max(_FIRST_SLOTS, 1 << (2 * self._count).bit_length()))
        self._fill(np.stack([numbers, np.arange(self._count)], axis=1))

    def __len__(self) -> int:
        """Return how many ids have a row."""
        return self._count - self._forgotten

    def row(self, id_: str) -> int:
        """Return the row of an id, or `UNKNOWN`."""
        return max(UNKNOWN, self._slots[self._place(hash(id_)) + 1])

    def rows(self, ids: Sequence[str]) -> Rows:
        """Return the row of each id, int64 (n,); `UNKNOWN` for those that have none."""
        if len(ids) < _FEW:
            return np.array([self.row(each) for each in ids], np.int64)
        numbers = np.fromiter(map(hash, ids), np.int64, len(ids))
        found = np.full(len(ids), UNKNOWN, np.int64)
        left, places = np.arange(len(ids)), numbers & self._mask
        while len(left):
            held = self._table[places]
            ends = (held[:, 0] == numbers[left]) | (held[:, 1] == UNKNOWN)
            found[left[ends]] = held[ends, 1]
            left, places = left[~ends], places[~ends] + 1 & self._mask
        return np.maximum(found, UNKNOWN)

    def give(self, id_: str) -> int:
        """Return the row of an id, the next one if it has none."""
        if 2 * (self._count + 1) > self._mask:
            self._grow()
        place = self._place(number := hash(id_))
        if self._slots[place + 1] < 0:
            self._slots[place], self._slots[place + 1] = number, self._count
            self._count += 1
        return self._slots[place + 1]

    def forget(self, id_: str) -> int:
        """Return the row that an id had, or `UNKNOWN`; if it is given one again, that is another."""
        place = self._place(hash(id_)) + 1
        row = self._slots[place]
        if row < 0:
            return UNKNOWN
        self._slots[place] = _FORGOTTEN
        self._forgotten += 1
        return row

    def held(self) -> Rows:
        """Return the rows of all ids, int64 (len,), ascending."""
        rows = self._table[:, 1]
        return np.sort(rows[rows >= 0])

    def _place(self, number: int) -> int:
        """Return where a hash stands, or the free place where it would."""
        slots, place = self._slots, 2 * (number & self._mask)
        while slots[place] != number and slots[place + 1] != UNKNOWN:
            place = place + 2 & self._last
        return place

    def _make(self, slots: int) -> None:
        # The same memory twice: `array` answers one question in a quarter of numpy's time.
        self._slots = array("q", [UNKNOWN]) * (2 * slots)
        self._table = np.frombuffer(self._slots, np.int64).reshape(-1, 2)
        self._mask = slots - 1
        self._last = 2 * slots - 1

    def _grow(self) -> None:
        lines = self._table[self._table[:, 1] >= 0]
        self._make(2 * (self._mask + 1))
        self._fill(lines)

    def _fill(self, lines: Rows) -> None:
        """Take distinct hashes and their rows, int64 (n, 2), into an empty table."""
        places = lines[:, 0] & self._mask
        while len(lines):
            free = self._table[places, 1] == UNKNOWN
            self._table[places[free]] = lines[free]  # of several that want one place, one gets it
            there = self._table[places, 1] == lines[:, 1]
            lines, places = lines[~there], places[~there] + 1 & self._mask
