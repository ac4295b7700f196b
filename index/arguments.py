"""What an index accepts: keys, vectors and queries, checked before anything is changed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.contract import Keys, Vectors


def checked_keys(keys: Sequence[int] | Keys) -> Keys:
    """Return keys as int64 (n,).

    Raises:
        ValueError: they are not a flat sequence of integers that fit 64 bits.
    """
    array: npt.NDArray[np.generic] = np.asarray(keys)
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"keys must be a flat sequence of 64-bit integers, not {array.dtype} {array.shape}")
    return array.astype(np.int64)


def checked_rows(keys: Sequence[int] | Keys, vectors: Vectors, dimension: int) -> tuple[Keys, Vectors]:
    """Return keys as int64 (n,) and vectors as float32 (n, dimension), both copies.

    Raises:
        ValueError: a key is negative, the shapes differ, or a number is not finite.
    """
    held = checked_keys(keys)
    if held.size and held.min() < 0:
        raise ValueError(f"key {held.min()} is negative")
    rows = _matrix(vectors, "vectors", dimension)
    if len(rows) != len(held):
        raise ValueError(f"{len(held)} keys came with {len(rows)} vectors")
    return held, rows.copy()


def newest(keys: Keys, vectors: Vectors) -> tuple[Keys, Vectors]:
    """Return each key once with its last vector, in the order of those vectors."""
    # np.unique gives the first place of a key, which is the last one when read backwards.
    _, backwards = np.unique(keys[::-1], return_index=True)
    last = np.sort(len(keys) - 1 - backwards)
    return keys[last], vectors[last]


def checked_queries(queries: Vectors, k: int, dimension: int) -> Vectors:
    """Return queries as C-contiguous float32 (n, dimension).

    Raises:
        ValueError: the shape is another, a number is not finite, or k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return _matrix(queries, "queries", dimension)


def _matrix(values: Vectors, name: str, dimension: int) -> Vectors:
    with np.errstate(over="ignore"):  # A float64 beyond float32 becomes inf, and is refused as such below.
        matrix = np.ascontiguousarray(values, dtype=np.float32)
    if matrix.shape[1:] != (dimension,):
        raise ValueError(f"{name} must have shape (n, {dimension}), not {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} hold a number that is not finite")
    return matrix
