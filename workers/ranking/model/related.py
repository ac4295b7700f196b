"""What goes with a history by the lists of evidence: candidates that the towers may miss."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.signals import Integers

Weights = npt.NDArray[np.float32]

EASE_HALF_LIFE: Final = 20.0
COVISITED_HALF_LIFE: Final = 5.0
"""In events; longer than scores like best, because many items should be found, not the best ones first."""
_DENSE: Final = 50_000
"""Known items up to which a sum an item is quicker than sorting the entries of the lists."""


def related(
    lists: Neighbours, sources: Integers, most: int, half_life: float, without: Sequence[Integers]
) -> list[Integers]:
    """Return what weighs most in the lists of each user's events, best first: at most `most` item numbers a user.

    An entry weighs half as much with every `half_life` later events; what does not weigh more than nothing
    is not named.

    Args:
        sources: int64 (n, l), lines of `lists`, newest event first; -1 where there is none.
        without: of each user, items that are not named, -1 for none: most of what goes with a long history
            stands in it already.
    """
    owners, ages = np.nonzero(sources >= 0)
    lines = sources[owners, ages]
    items = lists.items[lines].astype(np.int64)
    weights = lists.weights[lines] * (0.5 ** (ages / half_life)).astype(np.float32)[:, None]
    bounds = np.searchsorted(owners, np.arange(len(sources) + 1)).tolist()
    return [
        _heaviest(items[start:end].ravel(), weights[start:end].ravel(), len(lists.items), most, seen)
        for (start, end), seen in zip(pairwise(bounds), without, strict=True)
    ]


def _heaviest(items: Integers, weights: Weights, known: int, most: int, seen: Integers) -> Integers:
    if known <= _DENSE:
        named = None
        sums = np.bincount(items + 1, weights, minlength=known + 1)  # -1 fills lists up
        sums[seen + 1] = 0
        sums = sums[1:]
    else:
        named, places = np.unique(items, return_inverse=True)
        sums = np.bincount(places, weights, minlength=len(named))
        sums[(named < 0) | np.isin(named, seen)] = 0
    best = np.argpartition(-sums, most - 1)[:most] if most < len(sums) else np.arange(len(sums))
    best = best[sums[best] > 0]
    best = best[np.argsort(-sums[best], kind="stable")]
    return best if named is None else named[best]
