"""How sure a difference is: users are drawn again, whole, because one user's events are not independent."""

from typing import Final, NamedTuple

import numpy as np

from workers.ranking.evaluation.metrics import Ranks
from workers.ranking.model.signals import Integers

DRAWS: Final = 2_000
_AT_ONCE: Final = 4_000_000


class Interval(NamedTuple):
    """A paired difference of means, or their ratio, with its 95 % interval."""

    value: float
    low: float
    high: float


def paired(
    ours: Ranks, theirs: Ranks, users: Integers, *, seed: int = 0, draws: int = DRAWS
) -> tuple[Interval, Interval]:
    """Return difference and ratio of two means over the same questions.

    Args:
        ours: float64 (n,), a measure of each question.
        theirs: float64 (n,).
        users: int64 (n,), whose question it is.

    Returns:
        ours - theirs, and ours / theirs; the ratio's bounds are infinite where theirs can be nothing.
    """
    numbers = np.unique(users, return_inverse=True)[1]
    count = int(numbers.max(initial=-1)) + 1
    measures = (ours, theirs, np.ones(len(ours)))
    sums = np.stack([np.bincount(numbers, values, minlength=count) for values in measures])
    generator = np.random.default_rng(seed)
    size = max(1, _AT_ONCE // max(1, count))
    drawn = []
    for first in range(0, draws, size):
        picked = generator.multinomial(count, np.full(count, 1 / count), size=min(size, draws - first))
        drawn.append(picked @ sums.T)
    mine, other, asked = np.concatenate(drawn).T
    whole = sums.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios, ratio = mine / other, float(np.float64(whole[0]) / whole[1])
    return (
        Interval(float((whole[0] - whole[1]) / whole[2]), *_bounds((mine - other) / asked)),
        Interval(ratio, *_bounds(np.nan_to_num(ratios, nan=1.0))),
    )


def _bounds(values: Ranks) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975), method="nearest")
    return float(low), float(high)
