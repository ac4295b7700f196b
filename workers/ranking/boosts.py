"""Scores as the operator changes them."""

from collections.abc import Sequence

import numpy as np

from streams.settings.selection import Boost
from workers.ranking.candidates import Scored, Scores
from workers.ranking.catalogue import Mask

PART = "boost"


def boosted(scored: Scored, boosts: Sequence[Boost], applies: Mask) -> Scored:
    """Return the scores after all boosts; what they changed is a part of its own.

    A factor above 1 raises a score and one below 1 lowers it, whatever the score's sign.

    Args:
        applies: bool (boosts, c); which candidate gets which boost.
    """
    scores: Scores = scored.scores.copy()
    for boost, mask in zip(boosts, applies, strict=True):
        found = scores[mask]
        scores[mask] = np.where(found >= 0, found * boost.multiply, found / boost.multiply) + boost.add
    if not applies.any():
        return scored
    with np.errstate(invalid="ignore"):  # inf - inf: such a score sinks in any case
        change = scores - scored.scores
    return Scored(scores, {**scored.parts, PART: change})
