"""Short lists of numbers, one a line, in one matrix instead of one object each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
NOTHING = -1
"""Fills a line up; no number of a list is below 0."""


class RowLists:
    """A matrix that grows by lines, and by columns with the longest list.

    A million lists of ten take 40 MB, where as many tuples of integers take 600.

    Attributes:
        matrix: int32 (capacity, longest), -1 behind the end of each list; another array after it has grown.
    """

    def __init__(self, longest: int = 1) -> None:
        self.matrix: npt.NDArray[np.int32] = np.full((0, longest), NOTHING, np.int32)

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` lines; new ones are empty."""
        more = capacity - len(self.matrix)
        if more > 0:
            self.matrix = np.pad(self.matrix, ((0, more), (0, 0)), constant_values=NOTHING)

    def put(self, line: int, numbers: Sequence[int]) -> None:
        """Replace a list."""
        if line >= len(self.matrix):
            self.grow(max(line + 1, 2 * len(self.matrix)))
        self.widen(len(numbers))
        self.matrix[line, len(numbers) :] = NOTHING
        self.matrix[line, : len(numbers)] = numbers

    def put_all(self, lines: Numbers, lengths: Numbers, numbers: Numbers) -> None:
        """Replace many lists.

        Args:
            lines: int64 (n,), distinct.
            lengths: int64 (n,), of each line's list.
            numbers: int64 (sum of lengths,), the lists one after the other.
        """
        if not len(lines):
            return
        longest = max(int(lengths.max()), self.matrix.shape[1])
        lists = np.full((len(lines), longest), NOTHING, np.int32)
        lists[np.arange(longest) < lengths[:, None]] = numbers
        if (last := int(lines.max())) >= len(self.matrix):
            self.grow(max(last + 1, 2 * len(self.matrix)))
        self.widen(longest)
        self.matrix[lines] = lists

    def widen(self, longest: int) -> None:
        """Make room for lists of `longest` numbers."""
        missing = longest - self.matrix.shape[1]
        if missing > 0:
            self.matrix = np.pad(self.matrix, ((0, 0), (0, missing)), constant_values=NOTHING)
