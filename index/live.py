"""The index that is searched while it changes: a large immutable tier, and small exact ones for updates."""

from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np

from index.arguments import checked_keys, checked_queries, checked_rows, newest
from index.candidates import Candidates, merge
from index.compaction import Compactor, Turns
from index.contract import Keys, Neighbours, Vectors
from index.flat_tier import FlatTier
from index.inverted_lists import TrainedLists
from index.looked_up import LookedUp, Rowed, Source
from index.main_tier import MainTier, most_exact
from index.metrics import IndexMetrics
from index.tombstones import Mask
from streams.clock import wall_seconds
from streams.settings.ranking import IndexSettings

_SEALED_TIERS_MOST = 4
"""Compact from here on. Four tiers of 4,096 rows take a search over 100,000 vectors from 0.9 to 2.1 ms."""
_DEAD_MOST_RATIO = 0.5
"""Compact when more of the main tier is dead: it is memory and search time for nothing."""
_ORACLE_ROWS = 50_000
_TRIES = 4
"""Searches before the writer's lock is taken. Tiers change once in `fresh_capacity` upserts, so one try is
nearly always enough."""


class _Tiers(NamedTuple):
    """All tiers of one moment. Replaced as a whole, so that a reader takes them with one load."""

    main: MainTier
    sealed: tuple[FlatTier, ...]
    fresh: FlatTier

    @property
    def oldest_first(self) -> tuple[MainTier | FlatTier, ...]:
        return (self.main, *self.sealed, self.fresh)


class LiveIndex:
    """A `VectorIndex` with a main tier (FAISS), sealed tiers and a fresh tier, and tombstones in each.

    A key has one live row, or two while it is being overwritten. No reader takes a lock, because writer and
    readers keep to one order:

    Writing (one at a time, under the writer's lock)
        1. The new row is written whole into the fresh tier.
        2. It is published: the tier's row count goes up.
        3. Only then do the key's older rows die, in whatever tier they are. A held key always has a live one.
        4. A full fresh tier is sealed: the tier list is replaced as a whole, never changed.

    Searching
        1. Take the tier list once.
        2. Search the oldest tier first and the fresh tier last. A row that was seen dead because it had been
           overwritten has its successor in a newer tier, which is searched later, or in the same flat tier.
        3. In a flat tier, take the live mask before the rows, and again if the row count moved meanwhile: a
           mask of one count holds the successor of every row that it shows as overwritten.
        4. Candidates that died meanwhile are looked up again: an overwritten key keeps the score that it had
           when the search began, a removed one goes.
        5. If the tier list has changed since (1), a successor may be in a tier that was not searched: search
           again. After four tries, once more under the writer's lock.

    Compacting (in the background, one at a time)
        1. Cut, under the writer's lock: seal the fresh tier, copy the live masks, and note every key that is
           written from now on.
        2. Build a new main tier from the rows that lived at the cut, without the lock: rows never change.
        3. Swap, under the lock: bury the noted keys in the new tier (their live row is in a newer tier, or
           nowhere), and replace the tier list by the new main tier and the tiers that came after the cut.
    """

    def __init__(
        self,
        dimension: int,
        settings: IndexSettings,
        *,
        name: str = "items",
        turns: Turns | None = None,
        source: Source | None = None,
    ) -> None:
        """Start empty, for vectors of `dimension` numbers.

        Args:
            name: label of this index's metrics.
            turns: when compactions may run by themselves; None is at any time.
            source: where an approximate main tier looks vectors up that it is to score exactly, instead of
                holding them; every key that is upserted must be there, with its vector.
        """
        self._source = source
        self._dimension = dimension
        self._settings = settings
        self._metrics = IndexMetrics(name)
        self._writer = Lock()
        self._compacting = Lock()
        self._compactor = Compactor(self.compact, self._compaction_due, turns)
        self._size = 0
        self._written_since_cut: list[Keys] | None = None
        empty = np.empty((0, dimension), dtype=np.float32)
        self._tiers = _Tiers(self._build(np.empty(0, dtype=np.int64), empty), (), self._fresh())
        self._metrics.built.set(wall_seconds())
        self.asked: Vectors = empty
        """Queries of the newest search, float32 (n, dimension): what a probe of recall asks again."""

    @classmethod
    def built(
        cls,
        keys: Sequence[int] | Keys,
        vectors: Vectors,
        settings: IndexSettings,
        *,
        name: str = "items",
        at_once: bool = False,
        trained: TrainedLists | None = None,
        turns: Turns | None = None,
        source: Source | None = None,
    ) -> "LiveIndex":
        """Return an index of many vectors at once, all of them in the main tier.

        Args:
            keys: n keys, each >= 0; the last vector of a repeated key wins.
            vectors: float32 (n, dimension), finite, any length.
            at_once: compare all vectors until the background has built what a large main tier is searched with.
            trained: lists that are filled, if they fit, instead of training others.

        Raises:
            ValueError: a key is negative, the shapes differ, or a number is not finite.
        """
        index = cls(vectors.shape[-1], settings, name=name, turns=turns, source=source)
        held, rows = newest(*checked_rows(keys, vectors, index.dimension))
        kept: Rowed = rows if source is None else LookedUp(source, held)
        main = MainTier.exact(held, rows, trained) if at_once else index._build(held, kept, trained)
        index._tiers = index._tiers._replace(main=main)
        index._size = len(held)
        index._report()
        index._compactor.request()
        return index

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._dimension

    def __len__(self) -> int:
        """Return how many keys are held."""
        return self._size

    def __contains__(self, key: int) -> bool:
        """Return whether `key` is held; takes no lock, and keeps to the order of a search."""
        while True:
            tiers = self._tiers
            if any(key in tier for tier in tiers.oldest_first):
                return True
            if self._tiers is tiers:
                return False

    def upsert(self, keys: Sequence[int] | Keys, vectors: Vectors) -> None:
        """Insert or overwrite; see `VectorIndex.upsert`. Vectors are copied."""
        held, rows = newest(*checked_rows(keys, vectors, self._dimension))
        with self._writer:
            start = 0
            while start < len(held):
                if not self._tiers.fresh.free:
                    self._seal()
                end = start + self._tiers.fresh.free
                self._overwrite(held[start:end], rows[start:end])
                start = end
            self._report()
        self._compactor.request()

    def remove(self, keys: Sequence[int] | Keys) -> int:
        """Remove the keys that are held and return how many those were."""
        gone = np.unique(checked_keys(keys))
        with self._writer:
            known = np.zeros(len(gone), dtype=np.bool_)
            for tier in self._tiers.oldest_first:
                known |= tier.bury(gone)
            removed = int(known.sum())
            self._size -= removed
            self._note(gone)
            self._report()
        self._compactor.request()
        return removed

    def search(self, queries: Vectors, k: int, exclude: Sequence[int] | Keys = ()) -> Neighbours:
        """Return the k keys of largest inner product with each query; see `VectorIndex.search`.

        Scores are exact inner products in every tier; an approximate main tier may only miss keys.
        """
        wanted = checked_queries(queries, k, self._dimension)
        excluded = np.unique(checked_keys(exclude))
        self.asked = wanted
        with self._metrics.search_seconds.time():
            for _ in range(_TRIES):
                tiers = self._tiers
                found = self._search(tiers, wanted, k, excluded)
                if self._tiers is tiers:
                    return found
            with self._writer:
                return self._search(self._tiers, wanted, k, excluded)

    def compact(self) -> None:
        """Gather all live rows into a new main tier; the steps are in the docstring of the class.

        Runs by itself when sealed tiers pile up. May be called from any thread, beside readers and the
        writer; what is written meanwhile is kept. If it raises, the index is as it was.
        """
        with self._compacting:
            with self._writer:
                if self._tiers.fresh.count:
                    self._seal()
                cut = self._tiers
                old: list[MainTier | FlatTier] = [cut.main, *cut.sealed]
                masks = [tier.live_mask() for tier in old]
                written = self._written_since_cut = []
            try:
                main = self._build(*self._survivors(old, masks), cut.main.trained)
                with self._writer:
                    if written:
                        main.bury(np.unique(np.concatenate(written)))
                    self._tiers = _Tiers(main, self._tiers.sealed[len(cut.sealed) :], self._tiers.fresh)
                    self._report()
                self._metrics.built.set(wall_seconds())
                self._metrics.compactions.inc()
            except BaseException:
                self._metrics.failed_compactions.inc()
                raise
            finally:
                with self._writer:
                    self._written_since_cut = None

    def nearest_scores(self, queries: Vectors, k: int) -> Vectors:
        """Return the k largest inner products over all live rows, float32 (n, min(k, rows)), best first.

        The oracle of the probe: every row is compared, 50,000 at a time, beside searches and the writer.
        """
        wanted = checked_queries(queries, k, self._dimension)
        best = np.empty((len(wanted), 0), dtype=np.float32)
        for tier in self._tiers.oldest_first:
            rows = np.flatnonzero(tier.live_mask())
            for start in range(0, len(rows), _ORACLE_ROWS):
                scores = np.hstack([best, wanted @ tier.vectors(rows[start : start + _ORACLE_ROWS]).T])
                best = -np.sort(-scores, axis=1)[:, :k]
        return best

    def close(self) -> None:
        """Wait for a compaction that runs, and start no other by itself. The index stays usable."""
        self._compactor.close()

    def _survivors(self, tiers: Sequence[MainTier | FlatTier], masks: Sequence[Mask]) -> tuple[Keys, Rowed]:
        """Return keys and vectors of the rows that the masks mark."""
        living = list(zip(tiers, masks, strict=True))
        keys = np.concatenate([tier.keys(mask) for tier, mask in living])
        if self._source is not None:
            return keys, LookedUp(self._source, keys)
        return keys, np.concatenate([tier.vectors(mask) for tier, mask in living])

    def _build(self, keys: Keys, vectors: Rowed, trained: TrainedLists | None = None) -> MainTier:
        return MainTier.built(keys, vectors, self._settings, trained)

    def _fresh(self) -> FlatTier:
        return FlatTier(self._settings.fresh_capacity, self._dimension)

    def _seal(self) -> None:
        tiers = self._tiers
        self._tiers = _Tiers(tiers.main, (*tiers.sealed, tiers.fresh), self._fresh())

    def _overwrite(self, keys: Keys, vectors: Vectors) -> None:
        tiers = self._tiers
        known = tiers.fresh.append(keys, vectors)
        for tier in tiers.oldest_first[:-1]:
            known |= tier.bury(keys)
        self._size += len(keys) - int(known.sum())
        self._note(keys)

    def _note(self, keys: Keys) -> None:
        if self._written_since_cut is not None:
            self._written_since_cut.append(keys)

    def _search(self, tiers: _Tiers, queries: Vectors, k: int, excluded: Keys) -> Neighbours:
        parts: list[Candidates] = [tier.search(queries, k, excluded) for tier in tiers.oldest_first]
        for tier, part in zip(tiers.oldest_first, parts, strict=True):
            died = (part.keys >= 0) & ~tier.alive(part.rows)
            for query, place in np.argwhere(died):
                if int(part.keys[query, place]) not in self:
                    part.keys[query, place] = -1
                    part.scores[query, place] = -np.inf
        return merge(parts, k)

    def _compaction_due(self) -> bool:
        tiers = self._tiers
        dead, living = tiers.main.dead, tiers.main.count - tiers.main.dead
        many_dead = dead > _DEAD_MOST_RATIO * tiers.main.count and dead >= self._settings.fresh_capacity
        wants_lists = tiers.main.compares_all and living > most_exact(self._settings)
        return many_dead or wants_lists or len(tiers.sealed) >= _SEALED_TIERS_MOST

    def _report(self) -> None:
        self._metrics.set_rows(self._size, sum(tier.count for tier in self._tiers.oldest_first))
