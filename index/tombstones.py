"""Which rows of an immutable tier are dead: one bit a row, in the form that FAISS reads while it searches."""

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Tombstones:
    """A bitmap of live rows. One writer; readers need no lock, because a bit only goes from live to dead.

    Attributes:
        rows: rows of the tier.
        dead: rows that are dead.
    """

    def __init__(self, rows: int) -> None:
        """Start with every row alive."""
        self.rows = rows
        self.dead = 0
        self._live = np.packbits(np.ones(rows, dtype=np.bool_), bitorder="little")

    def bury(self, rows: Rows) -> None:
        """Mark rows as dead; they must be distinct and alive."""
        _clear(self._live, rows)
        self.dead += len(rows)

    def alive(self, rows: Rows) -> Mask:
        """Return whether each row is alive, in the shape of `rows`."""
        alive: Mask = (self._live[rows >> 3] >> (rows & 7) & 1).astype(np.bool_)
        return alive

    def live_mask(self) -> Mask:
        """Return a copy as bool (rows,)."""
        return np.unpackbits(self._live, count=self.rows, bitorder="little").astype(np.bool_)

    def selector(self, excluded: Rows) -> Any:
        """Return the `faiss.IDSelector` of live rows without `excluded`, or None if every row may be found.

        None matters: only without a selector does FAISS compare queries by matrix product. `excluded` costs
        a copy of the bitmap (125 kB for a million rows), and the search one test a row as before.
        """
        if not self.dead and not len(excluded):
            return None
        bits = self._live
        if len(excluded):
            bits = bits.copy()
            _clear(bits, excluded)
        return faiss.IDSelectorBitmap(bits)


def _clear(bits: npt.NDArray[np.uint8], rows: Rows) -> None:
    # `at`, because rows share bytes: a plain `bits[rows >> 3] &= …` keeps only the last of them.
    np.bitwise_and.at(bits, rows >> 3, ~np.left_shift(np.uint8(1), (rows & 7).astype(np.uint8)))
