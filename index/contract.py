"""What every index promises; `tests/conformance` holds each of them to it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int64]


class Neighbours(NamedTuple):
    """The nearest of each query, nearest first.

    Attributes:
        keys: int64 (n, k); -1 where fewer than k were found.
        scores: float32 (n, k), inner products; -inf where fewer than k were found.
    """

    keys: Keys
    scores: Vectors


class VectorIndex(Protocol):
    """Vectors by integer key, searched by inner product while they change.

    `upsert` and `remove` are visible to every search that begins after they return. Searches may run in
    any number of threads beside one writer; a key that is overwritten never vanishes meanwhile.
    """

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    def __len__(self) -> int:
        """Return how many keys are held."""

    def __contains__(self, key: int) -> bool:
        """Return whether `key` is held."""

    def upsert(self, keys: Sequence[int] | Keys, vectors: Vectors) -> None:
        """Insert or overwrite. In one call the last vector of a repeated key wins.

        Args:
            keys: n keys, each >= 0.
            vectors: float32 (n, dimension), finite; any length.

        Raises:
            ValueError: a key is negative, the shapes differ, or a number is not finite; nothing is changed.
        """

    def remove(self, keys: Sequence[int] | Keys) -> int:
        """Remove the keys that are held and return how many those were."""

    def search(self, queries: Vectors, k: int, exclude: Sequence[int] | Keys = ()) -> Neighbours:
        """Return the k keys of largest inner product with each query, leaving out `exclude`.

        Args:
            queries: float32 (n, dimension).
            k: neighbours a query, k >= 1. Fewer come back when the index holds fewer.
            exclude: keys that no query may find; unknown keys are ignored.

        Raises:
            ValueError: the dimension differs or k < 1.
        """
