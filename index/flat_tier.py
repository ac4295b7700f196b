"""A small tier that is searched exactly. It takes updates while it is fresh, and none once it is sealed."""

import numpy as np

from index.candidates import Candidates
from index.contract import Keys, Vectors
from index.tombstones import Mask, Rows


class FlatTier:
    """Rows in the order in which they came; a row never changes, it only dies.

    One writer, and readers without a lock. `count` publishes: a row is written whole, then counted, and only
    then does the row that it replaces die. So a reader that sees a dead row finds its successor among the
    counted rows, or in a newer tier.
    """

    def __init__(self, capacity: int, dimension: int) -> None:
        """Reserve room for `capacity` rows of `dimension` numbers."""
        self._keys = np.full(capacity, -1, dtype=np.int64)
        self._vectors = np.zeros((capacity, dimension), dtype=np.float32)
        self._live = np.zeros(capacity, dtype=np.bool_)
        self._row_of: dict[int, int] = {}
        self.count = 0

    def __contains__(self, key: int) -> bool:
        """Return whether a live row holds `key`."""
        return key in self._row_of

    @property
    def free(self) -> int:
        """Rows that can still be appended."""
        return len(self._keys) - self.count

    @property
    def dead(self) -> int:
        """Rows that are dead."""
        return self.count - len(self._row_of)

    def append(self, keys: Keys, vectors: Vectors) -> Mask:
        """Add rows and return which keys this tier held before; those older rows die.

        Args:
            keys: int64 (n,), distinct, n <= `free`.
            vectors: float32 (n, dimension).
        """
        start, end = self.count, self.count + len(keys)
        names = keys.tolist()
        replaced = np.array([self._row_of.get(key, -1) for key in names], dtype=np.int64)
        # 1. The rows are written whole, and 2. published.
        self._keys[start:end] = keys
        self._vectors[start:end] = vectors
        self._live[start:end] = True
        self.count = end
        self._row_of.update(zip(names, range(start, end), strict=True))
        # 3. Only now do the rows that they replace die.
        known: Mask = replaced >= 0
        self._live[replaced[known]] = False
        return known

    def bury(self, keys: Keys) -> Mask:
        """Let the rows of `keys` (distinct) die, and return which keys this tier held."""
        rows = np.array([self._row_of.pop(key, -1) for key in keys.tolist()], dtype=np.int64)
        known: Mask = rows >= 0
        self._live[rows[known]] = False
        return known

    def alive(self, rows: Keys) -> Mask:
        """Return whether each row is alive, in the shape of `rows`."""
        return self._live[rows]

    def live_mask(self) -> Mask:
        """Return a copy as bool (count,), of one moment.

        The copy is taken again when rows came meanwhile. Without that it could show a row as dead whose
        successor was appended too late to be in it, and a key that never went away would be missed.
        """
        while True:
            count = self.count
            live = self._live[:count].copy()
            if count == self.count:
                return live

    def keys(self, mask: Mask) -> Keys:
        """Return a copy of the keys of the rows that `mask`, bool (<= count,), marks."""
        return self._keys[: len(mask)][mask]

    def vectors(self, places: Mask | Rows) -> Vectors:
        """Return copies of the vectors of rows: those that a mask, bool (<= count,), marks, or int64 (n,)."""
        return self._vectors[np.flatnonzero(places) if places.dtype == np.bool_ else places]

    def search(self, queries: Vectors, k: int, excluded: Keys) -> Candidates:
        """Return the best min(k, count) rows of each query, `excluded` keys left out."""
        findable = self.live_mask()
        count = len(findable)
        if count == 0:
            return Candidates.none(len(queries))
        keys = self._keys[:count]
        if len(excluded):
            findable &= ~np.isin(keys, excluded)
        scores = queries @ self._vectors[:count].T
        scores[:, ~findable] = -np.inf
        width = min(k, count)
        rows = np.argpartition(-scores, width - 1, axis=1)[:, :width].astype(np.int64)
        found = np.take_along_axis(scores, rows, axis=1)
        return Candidates(np.where(np.isneginf(found), -1, keys[rows]), found, rows)
