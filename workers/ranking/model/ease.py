"""EASE: the linear model that foretells each item from a user's others, in closed form.

Source: H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
"""

from typing import Final

import numpy as np
import torch

from workers.ranking.model.neighbours import Matrix, Neighbours, strongest
from workers.ranking.model.signals import Integers

RIDGE: Final = 250.0
_USERS_AT_ONCE: Final = 1_024


def gram(users: Integers, rows: Integers, head: Integers) -> Matrix:
    """Return how many users had both of two items, float32 (h, h).

    Args:
        users: int64 (e,), ascending.
        rows: int64 (e,), item numbers; repeats of a user count once.
        head: int64 (h,), ascending, the items that are looked at.
    """
    counts = np.zeros((len(head), len(head)), np.float32)
    places = np.minimum(np.searchsorted(head, rows), len(head) - 1)
    here = head[places] == rows
    users, places = users[here], places[here]
    numbers, lines = np.unique(users, return_inverse=True)
    for first in range(0, len(numbers), _USERS_AT_ONCE):
        start, end = np.searchsorted(lines, (first, first + _USERS_AT_ONCE))
        had = np.zeros((min(_USERS_AT_ONCE, len(numbers) - first), len(head)), np.float32)
        had[lines[start:end] - first, places[start:end]] = 1
        counts += had.T @ had
    return counts


def ease_lists(counts: Matrix, head: Integers, items: int, k: int, ridge: float = RIDGE) -> Neighbours:
    """Return the `k` strongest weights from each item of the head to others, for `items` items in all.

    Args:
        counts: float32 (h, h), of `gram`.
        head: int64 (h,), the items of its rows and columns.
        ridge: of the regression; larger is smoother.
    """
    matrix = torch.from_numpy(counts.astype(np.float64))
    matrix.diagonal().add_(ridge)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix)).numpy()
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    found = strongest(weights, head, k)
    lists = Neighbours(
        np.full((items, found.items.shape[1]), -1, np.int32), np.zeros((items, found.items.shape[1]), np.float32)
    )
    lists.items[head], lists.weights[head] = found
    return lists
