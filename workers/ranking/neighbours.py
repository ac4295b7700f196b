"""The neighbours of items by learned vector: looked up once an item, then read by every user who acted on it."""

import numpy as np
import numpy.typing as npt

from index.live import LiveIndex
from workers.ranking.catalogue import Rows

_STALE_RATIO = 0.01
"""All lists are forgotten when so many of the catalogue's items have changed: new items should be found too."""


class NeighbourLists:
    """The nearest `width` items of each item, filled in when first asked for.

    Searching for five items of each user would cost five searches a slate; a list is searched for once.
    """

    def __init__(self, width: int) -> None:
        self._lists = np.zeros((0, width), np.int32)
        self._filled = np.zeros(0, np.bool_)
        self._changed = 0

    def of(self, rows: Rows, index: LiveIndex, item_matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Return int32 (n, width), nearest first, without the item itself; -1 where there are fewer.

        Args:
            rows: int64 (n,), rows of `item_matrix`.
        """
        self._grow(len(item_matrix))
        missing = np.unique(rows[~self._filled[rows]])
        if len(missing):
            self._lists[missing] = self._search(missing, index, item_matrix)
            self._filled[missing] = True
        return self._lists[rows]

    def forget(self, rows: Rows) -> None:
        """Search anew for these rows, and for all when one in a hundred items has changed since."""
        self._changed += len(rows)
        if self._changed > _STALE_RATIO * len(self._filled):
            self._filled[:] = False
            self._changed = 0
        else:
            self._filled[rows[rows < len(self._filled)]] = False

    def _search(self, rows: Rows, index: LiveIndex, item_matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        width = self._lists.shape[1]
        found = index.search(item_matrix[rows], width + 1).keys
        own = found == rows[:, None]
        own[~own.any(axis=1), -1] = True
        lists: npt.NDArray[np.int32] = found[~own].reshape(len(rows), width).astype(np.int32)
        return lists

    def _grow(self, capacity: int) -> None:
        more = capacity - len(self._filled)
        if more > 0:
            self._lists = np.concatenate([self._lists, np.zeros((more, self._lists.shape[1]), np.int32)])
            self._filled = np.concatenate([self._filled, np.zeros(more, np.bool_)])
