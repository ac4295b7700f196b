"""Rows that are compared one and all: the structure of a small main tier."""

from typing import Any

import faiss
import numpy as np

from index.contract import Vectors
from index.tombstones import Rows

_BLAS_FROM_QUERIES = 4
"""FAISS 1.15 takes the matrix product only from 128,000 numbers of queries on. From 4 queries on, 32 of them
over 100,000 vectors of 384 numbers take 1.15 ms each instead of 8.3 (one core)."""


class ExactRows:
    """FAISS's `IndexFlatIP`. It holds the only copy of the vectors."""

    def __init__(self, vectors: Vectors) -> None:
        """Copy vectors, float32 (rows, dimension)."""
        rows, dimension = vectors.shape
        # Of the whole process, which is fine: it chooses a way to compute, never a result.
        faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM_QUERIES * dimension
        self._index = faiss.IndexFlatIP(dimension)
        self._index.add(np.ascontiguousarray(vectors))
        self._vectors: Vectors = np.empty((0, dimension), dtype=np.float32)
        if rows:
            # A view of FAISS's own memory; `self._index` keeps it alive and is never added to again.
            numbers = faiss.rev_swig_ptr(self._index.get_xb(), rows * dimension)
            self._vectors = numbers.reshape(rows, dimension)

    @property
    def vectors(self) -> Vectors:
        """Return the rows, float32 (rows, dimension); valid as long as this object."""
        return self._vectors

    def search(self, queries: Vectors, k: int, selector: Any, findable: int) -> tuple[Vectors, Rows]:
        """Return the nearest rows; see `Structure.search`."""
        width = min(k, len(self._vectors))
        scores, rows = self._index.search(queries, width, params=faiss.SearchParameters(sel=selector))
        return np.where(rows >= 0, scores, -np.inf).astype(np.float32), rows
