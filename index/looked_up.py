"""Vectors that somebody else keeps: an index of a million looks them up instead of holding them once more."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from index.contract import Keys, Vectors

Source = Callable[[], Vectors]
"""Returns a matrix whose row `key` is the vector of `key`; a larger one after it has grown.

A row may be overwritten before its key is upserted: until then it has the new vector's score at the old one's
place. A row of a key that was removed stays.
"""


Array = TypeVar("Array", bound=npt.NDArray[Any])


class Held(Generic[Array]):
    """An array that is replaced by a larger one when it grows; whoever holds this sees the newest.

    An index that held the array's owner instead would keep it alive until the collector comes.

    Attributes:
        rows: (capacity, …), a row a key.
    """

    def __init__(self, rows: Array) -> None:
        self.rows = rows

    def get(self) -> Array:
        """Return `rows`: of vectors a `Source`."""
        return self.rows


class LookedUp:
    """Row i is the source's row `keys[i]`. Indexed like an array, it gives a copy."""

    def __init__(self, source: Source, keys: Keys) -> None:
        self.source = source
        self.keys = keys

    def __len__(self) -> int:
        """Return the rows."""
        return len(self.keys)

    def __getitem__(self, places: Any) -> Vectors:
        rows: Vectors = self.source()[self.keys[places]]
        return rows

    def ascending(self) -> "LookedUp":
        """Return the same rows, smallest key first."""
        return LookedUp(self.source, np.sort(self.keys))


Rowed = Vectors | LookedUp
