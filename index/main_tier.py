"""The large tier: immutable rows in a FAISS index, with a bitmap of those that died since it was built."""

from typing import Any, Protocol

import numpy as np

from index.candidates import Candidates
from index.contract import Keys, Vectors
from index.exact_rows import ExactRows
from index.inverted_lists import InvertedLists, TrainedLists
from index.looked_up import LookedUp, Rowed
from index.tombstones import Mask, Rows, Tombstones
from streams.settings.ranking import IndexSettings

_FEWEST_APPROXIMATE = 1_000
"""Below this many rows an inverted list holds too few to train on, and comparing all of them is quicker."""


def most_exact(settings: IndexSettings) -> int:
    """Return up to how many rows are compared one and all."""
    return max(settings.exact_below, _FEWEST_APPROXIMATE)


class Structure(Protocol):
    """How the rows are laid out for search; never changed after it is built."""

    @property
    def vectors(self) -> Rowed:
        """Return the rows as they came, float32 (rows, dimension)."""

    def search(self, queries: Vectors, k: int, selector: Any, findable: int) -> tuple[Vectors, Rows]:
        """Return exact inner products, float32, and rows, int64: (n, min(k, rows)), -inf and -1 for none.

        Args:
            selector: a `faiss.IDSelector` of the rows that may be found, or None for all.
            findable: how many rows that are.
        """


class MainTier:
    """Keys beside a structure. One writer buries; readers need no lock.

    Attributes:
        trained: lists that the next tier may be laid out in, if any were trained.
    """

    def __init__(self, keys: Keys, structure: Structure, trained: TrainedLists | None = None) -> None:
        """Take row i of `structure` as the vector of `keys[i]`; keys are distinct and ascend."""
        self.trained = trained
        self._keys = keys
        self._structure = structure
        self._tombstones = Tombstones(len(keys))

    @classmethod
    def exact(cls, keys: Keys, vectors: Rowed, trained: TrainedLists | None = None) -> "MainTier":
        """Lay out rows to be compared one and all, however many: there at once."""
        keys, vectors = _ascending(keys, vectors)
        return cls(keys, ExactRows(vectors[:]), trained)

    @classmethod
    def built(
        cls, keys: Keys, vectors: Rowed, settings: IndexSettings, trained: TrainedLists | None = None
    ) -> "MainTier":
        """Lay out rows: exact up to `settings.exact_below` of them, in inverted lists above.

        Args:
            keys: int64 (n,), distinct.
            vectors: float32 (n, dimension), finite; where they are looked up, lists go on to look them up.
            trained: lists that are used again while they fit.
        """
        if len(keys) <= most_exact(settings):
            return cls.exact(keys, vectors, trained)
        keys, vectors = _ascending(keys, vectors)
        assigned = None if trained is None else trained.assigned_to(keys)
        lists = InvertedLists.built(vectors, settings.recall_target, trained, assigned)
        return cls(keys, lists, lists.trained)

    def __contains__(self, key: int) -> bool:
        """Return whether a live row holds `key`."""
        rows = self._rows_of(np.array([key], dtype=np.int64))
        return bool(rows[0] >= 0 and self._tombstones.alive(rows)[0])

    @property
    def compares_all(self) -> bool:
        """Whether a search compares every row."""
        return isinstance(self._structure, ExactRows)

    @property
    def count(self) -> int:
        """Rows, dead ones too."""
        return len(self._keys)

    @property
    def dead(self) -> int:
        """Rows that are dead."""
        return self._tombstones.dead

    def bury(self, keys: Keys) -> Mask:
        """Let the rows of `keys` (distinct) die, and return which keys this tier held."""
        rows = self._rows_of(keys)
        known: Mask = rows >= 0
        known[known] = self._tombstones.alive(rows[known])
        self._tombstones.bury(rows[known])
        return known

    def alive(self, rows: Rows) -> Mask:
        """Return whether each row is alive, in the shape of `rows`."""
        return self._tombstones.alive(rows)

    def live_mask(self) -> Mask:
        """Return a copy as bool (count,)."""
        return self._tombstones.live_mask()

    def keys(self, mask: Mask) -> Keys:
        """Return a copy of the keys of the rows that `mask`, bool (count,), marks."""
        return self._keys[mask]

    def vectors(self, places: Mask | Rows) -> Vectors:
        """Return copies of the vectors of rows: those that a mask, bool (count,), marks, or int64 (n,)."""
        return self._structure.vectors[places]

    def search(self, queries: Vectors, k: int, excluded: Keys) -> Candidates:
        """Return the best min(k, count) rows of each query, `excluded` keys left out."""
        if not self.count:
            return Candidates.none(len(queries))
        hidden = self._rows_of(excluded)
        hidden = hidden[hidden >= 0]
        hidden = hidden[self._tombstones.alive(hidden)]
        findable = self.count - self.dead - len(hidden)
        scores, rows = self._structure.search(queries, k, self._tombstones.selector(hidden), findable)
        return Candidates(np.where(rows >= 0, self._keys[rows], -1), scores, rows)

    def _rows_of(self, keys: Keys) -> Rows:
        """Return the row of each key, dead ones too; -1 for none."""
        if not self.count:
            return np.full(len(keys), -1, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self._keys, keys), self.count - 1)
        return np.where(self._keys[rows] == keys, rows, -1)


def _ascending(keys: Keys, vectors: Rowed) -> tuple[Keys, Rowed]:
    if isinstance(vectors, LookedUp):
        ordered = vectors.ascending()
        return ordered.keys, ordered
    if (keys[1:] > keys[:-1]).all():  # as rows of a catalogue do: then a million keys cost no copy of the vectors
        return keys, vectors
    order = np.argsort(keys, kind="stable")
    return keys[order], vectors[order]
