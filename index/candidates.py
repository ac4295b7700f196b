"""What a tier finds, and how the finds of all tiers become one answer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from index.contract import Keys, Neighbours, Vectors
from index.tombstones import Rows


class Candidates(NamedTuple):
    """The best of one tier for each query, in any order.

    Attributes:
        keys: int64 (n, m); -1 where nothing was found.
        scores: float32 (n, m), inner products; -inf where nothing was found.
        rows: int64 (n, m), rows of the tier; anything where nothing was found.
    """

    keys: Keys
    scores: Vectors
    rows: Rows

    @classmethod
    def none(cls, queries: int) -> "Candidates":
        """Return what an empty tier finds."""
        keys = np.empty((queries, 0), dtype=np.int64)
        return cls(keys, np.empty((queries, 0), dtype=np.float32), keys)


def merge(parts: Sequence[Candidates], k: int) -> Neighbours:
    """Return the k best keys of each query over all parts, each key once; ties go to the smaller key.

    Args:
        parts: oldest tier first. A key found in two tiers was overwritten while the search ran, and counts
            with the score of the newer one.
    """
    filled = [part for part in parts if part.keys.shape[1]]
    if len(filled) == 1 and _stands(filled[0].scores, k):
        return Neighbours(filled[0].keys[:, :k], filled[0].scores[:, :k])
    newest_first = parts[::-1]
    keys = np.hstack([part.keys for part in newest_first])
    scores = np.hstack([part.scores for part in newest_first])
    by_key = np.argsort(keys, axis=1, kind="stable")
    keys = np.take_along_axis(keys, by_key, axis=1)
    scores = np.take_along_axis(scores, by_key, axis=1)
    scores[:, 1:][keys[:, 1:] == keys[:, :-1]] = -np.inf
    # Stable over keys in ascending order, so equal scores stay in the order of their keys.
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found = Neighbours(
        np.full((len(keys), k), -1, dtype=np.int64), np.full((len(keys), k), -np.inf, dtype=np.float32)
    )
    width = best.shape[1]
    found.scores[:, :width] = np.take_along_axis(scores, best, axis=1)
    found.keys[:, :width] = np.take_along_axis(keys, best, axis=1)
    found.keys[np.isneginf(found.scores)] = -1
    return found


def _stands(scores: Vectors, k: int) -> bool:
    """Return whether these are k scores a query or more, best first, all found and no two of a query alike."""
    return scores.shape[1] >= k and bool(
        (scores[:, 1:] < scores[:, :-1]).all() and (scores[:, -1:] > -np.inf).all()
    )
