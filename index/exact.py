"""Exact search by brute force: the oracle that every other index is tested against."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from index.arguments import checked_keys, checked_queries, checked_rows
from index.contract import Keys, Neighbours, Vectors


class ExactIndex:
    """A dictionary of vectors, compared one and all with each query. Ties go to the smaller key.

    One lock orders every call. Meant for tests and for a few thousand vectors.
    """

    def __init__(self, dimension: int) -> None:
        """Start empty, for vectors of `dimension` numbers."""
        self._dimension = dimension
        self._lock = Lock()
        self._vectors: dict[int, npt.NDArray[np.float32]] = {}

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._dimension

    def __len__(self) -> int:
        """Return how many keys are held."""
        return len(self._vectors)

    def __contains__(self, key: int) -> bool:
        """Return whether `key` is held."""
        return key in self._vectors

    def upsert(self, keys: Sequence[int] | Keys, vectors: Vectors) -> None:
        """Insert or overwrite; see `VectorIndex.upsert`."""
        held, rows = checked_rows(keys, vectors, self._dimension)
        with self._lock:
            self._vectors.update(zip(held.tolist(), rows, strict=True))

    def remove(self, keys: Sequence[int] | Keys) -> int:
        """Remove the keys that are held and return how many those were."""
        with self._lock:
            before = len(self._vectors)
            for key in checked_keys(keys).tolist():
                self._vectors.pop(key, None)
            return before - len(self._vectors)

    def search(self, queries: Vectors, k: int, exclude: Sequence[int] | Keys = ()) -> Neighbours:
        """Return the k keys of largest inner product with each query; see `VectorIndex.search`."""
        wanted = checked_queries(queries, k, self._dimension)
        left_out = set(checked_keys(exclude).tolist())
        with self._lock:
            kept = {key: vector for key, vector in sorted(self._vectors.items()) if key not in left_out}
        found_keys = np.full((len(wanted), k), -1, dtype=np.int64)
        found_scores = np.full((len(wanted), k), -np.inf, dtype=np.float32)
        if kept:
            keys = np.array(list(kept), dtype=np.int64)
            scores = wanted @ np.stack(list(kept.values())).T
            best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            width = best.shape[1]
            found_keys[:, :width] = keys[best]
            found_scores[:, :width] = np.take_along_axis(scores, best, axis=1)
        return Neighbours(found_keys, found_scores)
