"""The items as ranking sees them: one row an item, columns of everything that stages read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import ItemVector
from streams.errors import DataError
from streams.settings.ranking import RankingSettings
from workers.ranking.id_rows import UNKNOWN, IdRows
from workers.ranking.policy import Policy

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_NEVER_MS = np.iinfo(np.int64).max
_FIRST_CAPACITY = 1_024


class Entry(NamedTuple):
    """What is shown to a person, and what a cross-encoder reads.

    Attributes:
        categories: kept only where a cross-encoder serves.
    """

    item_id: str
    title: str
    categories: tuple[str, ...] = ()


class Catalogue:
    """A growing table of items. A row is given once and never to another item.

    A deleted item keeps its row and vector (histories still speak of it) and is not live.

    Attributes:
        dimension: of a text vector; 0 until the first item is put.
        text_vectors: float32 (capacity, dimension).
        available: bool (capacity,); false for sold out and for deleted items.
        expires_at_ms: int64 (capacity,), milliseconds since the epoch.
        policy: what the operator's rules say of each row.
    """

    def __init__(self, settings: RankingSettings | None = None) -> None:
        settings = settings or RankingSettings()
        self.dimension = 0
        self._described = "cross_encoder" in settings.added_scorers
        self.policy = Policy(settings)
        self.policy.grow(_FIRST_CAPACITY)
        self.text_vectors = np.zeros((_FIRST_CAPACITY, 0), np.float32)
        self.available = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.expires_at_ms = np.full(_FIRST_CAPACITY, _NEVER_MS, np.int64)
        # A column each: a million tuples would take 50 MB more.
        self._ids: list[str] = []
        self._titles: list[str] = []
        self._categories: list[tuple[str, ...]] = []
        self._rows = IdRows()

    def __len__(self) -> int:
        """Return the rows that were given, deleted items included."""
        return len(self._ids)

    def __iter__(self) -> Iterator[Entry]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> Entry:
        categories = self._categories[row] if self._described else ()
        return Entry(self._ids[row], self._titles[row], categories)

    def item_id(self, row: int) -> str:
        """Return the id of an item."""
        return self._ids[row]

    def row(self, item_id: str) -> int | None:
        """Return the row of an item, or None when it was never in the catalogue."""
        row = self._rows.row(item_id)
        return None if row == UNKNOWN else row

    def rows_or_minus_one(self, item_ids: Sequence[str]) -> Rows:
        """Return the row of each item, int64 (n,); -1 for one that was never in the catalogue."""
        return self._rows.rows(item_ids)

    def rows(self, item_ids: Iterable[str]) -> Rows:
        """Return the rows, int64 (m,), of those of `item_ids` that are known, in their order."""
        rows = self._rows.rows(tuple(item_ids))
        known: Rows = rows[rows != UNKNOWN]
        return known

    def put(self, item: ItemVector) -> int:
        """Insert or overwrite an item and return its row.

        Raises:
            DataError: its vector has another dimension than those before it.
        """
        vector = np.frombuffer(item.vector, np.dtype("<f4"))
        if not self.dimension:
            self.dimension = vector.size
            self.text_vectors = np.zeros((_FIRST_CAPACITY, vector.size), np.float32)
        if vector.size != self.dimension:
            raise DataError(
                f"Item {item.item_id!r} has a vector of {vector.size} numbers among vectors of {self.dimension}.",
                "delete the item vector topic and let the embedding worker fill it again.",
            )
        row = self._rows.give(item.item_id)
        if row == len(self):
            self._ids.append(item.item_id)
            self._titles.append("")
            if self._described:
                self._categories.append(())
            self._grow()
        self._titles[row] = item.title
        if self._described:
            self._categories[row] = item.categories
        self.text_vectors[row] = vector
        self.available[row] = item.available
        self.expires_at_ms[row] = _NEVER_MS if item.expires_at_ms is None else item.expires_at_ms
        self.policy.put(row, item)
        return row

    def delete(self, item_id: str) -> int | None:
        """Take an item out of every later slate and return its row, or None when it was not there."""
        row = self.row(item_id)
        if row is not None:
            self.available[row] = False
        return row

    def live(self, now_ms: int) -> Mask:
        """Return which rows may be shown at `now_ms`, bool (len,)."""
        count = len(self)
        shown: Mask = self.available[:count] & (self.expires_at_ms[:count] > now_ms)
        return shown

    def showable(self, rows: Rows, now_ms: int) -> Mask:
        """Return which of `rows` may be shown at `now_ms`, bool (len(rows),): live, and allowed by the rules."""
        policy = self.policy
        shown: Mask = (
            self.available[rows]
            & (self.expires_at_ms[rows] > now_ms)
            & ~policy.excluded[rows]
            & policy.allowed[:, rows].all(axis=0)
        )
        return shown

    def _grow(self) -> None:
        capacity = len(self.available)
        if len(self) <= capacity:
            return
        more = np.zeros((capacity, self.dimension), np.float32)
        self.text_vectors = np.concatenate([self.text_vectors, more])
        self.available = np.concatenate([self.available, np.zeros(capacity, np.bool_)])
        self.expires_at_ms = np.concatenate([self.expires_at_ms, np.full(capacity, _NEVER_MS)])
        self.policy.grow(2 * capacity)
