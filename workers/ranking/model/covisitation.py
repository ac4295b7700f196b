"""Ordered co-visitation: which item comes soon after which."""

from typing import Final

import numpy as np
import numpy.typing as npt

from workers.ranking.model.neighbours import Neighbours, from_pairs
from workers.ranking.model.signals import Integers

Weights = npt.NDArray[np.float64]

WINDOW: Final = 5
"""Events ahead that count, each by one over its distance."""
_SMOOTHING: Final = 5.0
_POPULARITY_EXPONENT: Final = 0.3
_SCALE: Final = 10.0


def covisitation_lists(users: Integers, rows: Integers, items: int, k: int) -> Neighbours:
    """Return, for each of `items` items, the `k` that follow it most, popular ones damped.

    Args:
        users: int64 (e,), ascending; each user's events by time.
        rows: int64 (e,), item numbers.
    """
    keys: Integers = np.zeros(0, np.int64)
    weights: Weights = np.zeros(0)
    for distance in range(1, WINDOW + 1):
        same = users[distance:] == users[:-distance]
        pairs = (rows[:-distance] * items + rows[distance:])[same]
        keys, weights = _summed(
            np.concatenate([keys, pairs]), np.append(weights, np.full(len(pairs), 1 / distance))
        )
    sources, targets = np.divmod(keys, items)
    weights[sources == targets] = 0
    totals = np.bincount(sources, weights, minlength=items)
    taken = np.bincount(rows, minlength=items)
    damped = (totals[sources] + _SMOOTHING) * (taken[targets] + _SMOOTHING) ** _POPULARITY_EXPONENT
    kept = weights > 0
    scaled = (weights / damped * _SCALE).astype(np.float32)
    return from_pairs(sources[kept], targets[kept], scaled[kept], items, k)


def _summed(keys: Integers, weights: Weights) -> tuple[Integers, Weights]:
    unique, places = np.unique(keys, return_inverse=True)
    return unique, np.bincount(places, weights, minlength=len(unique)).astype(np.float64)
