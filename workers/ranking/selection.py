"""From the scored candidates of one user to places in a slate, under the operator's wishes."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workers.ranking.candidates import Scores
from workers.ranking.catalogue import Mask, Rows
from workers.ranking.metrics import NON_FINITE
from workers.ranking.policy import NO_GROUP

Vectors = npt.NDArray[np.float32]
Groups = npt.NDArray[np.int32]


class Limit(NamedTuple):
    """A cap as it applies to one user's candidates.

    Attributes:
        groups: int32 (c, widest), kinds of each candidate, -1 for no more.
        most: items of one kind that a slate may hold.
    """

    groups: Groups
    most: int


class Wishes(NamedTuple):
    """What selection minds beside the score, for one user's c candidates.

    Attributes:
        vectors: float32 (c, width), unit length; None where diversity is off.
        limits: one a cap.
        kinds: int32 (c, widest), what variety counts, -1 for no more; None where it is off.
        pins: position of a candidate -> its place in the slate, counted from 0.
    """

    diversity: float = 0.0
    vectors: Vectors | None = None
    limits: Sequence[Limit] = ()
    variety: float = 0.0
    kinds: Groups | None = None
    pins: Mapping[int, int] = {}


def finite(scores: Scores) -> Scores:
    """Return the scores with those that are not finite sunk to the lowest finite one; they are counted."""
    good = np.isfinite(scores)
    if good.all():
        return scores
    NON_FINITE.inc(int((~good).sum()))
    lowest = scores[good].min() if good.any() else np.float32(0)
    return np.where(good, scores, lowest).astype(np.float32)


def best(scores: Scores, length: int) -> Rows:
    """Return the positions of the `length` largest scores, best first; equal scores keep their order.

    A score that is not a number or infinite sinks below every other.
    """
    good = np.isfinite(scores)
    if not good.all():
        scores = np.where(good, scores, -np.inf)
    return np.argsort(-scores, kind="stable")[:length]


def select(scores: Scores, length: int, wishes: Wishes) -> Rows:
    """Return at most `length` positions, the first place first.

    Pinned candidates stand in their places. The others follow one by one: each time the candidate of largest
    (1 - diversity) · score - diversity · (largest cosine with those that stand), among those of no kind that is
    full (Carbonell and Goldstein, SIGIR 1998; scores scaled to 0 … 1). Pinned candidates count in their kinds,
    but no cap removes a pin.

    With variety, each time the candidate of largest chance + variety · (how many of its kinds the slate lacks) is
    chosen, its chance to come next being the softmax of the scores: so a kind costs as many hits for every user,
    and who is sure of little gets most of them. What was chosen then stands by score: what is there for variety
    comes last, where it costs least. With diversity too, the chances take the place of the scaled scores.
    """
    if not len(scores):
        return np.zeros(0, np.int64)
    if not wishes.diversity and not wishes.limits and not wishes.variety:
        free = best(scores, len(scores) if wishes.pins else length)
        return _with_pins([place for place in free.tolist() if place not in wishes.pins], length, wishes.pins)
    return _with_pins(_greedy(scores, length, wishes), length, wishes.pins)


def _greedy(scores: Scores, length: int, wishes: Wishes) -> list[int]:
    sound = np.isfinite(scores)
    relevance, kind_worth = np.where(sound, scores, np.float32(0)), 0.0
    if wishes.variety and sound.any():
        odds = np.exp(relevance.astype(np.float64) - scores[sound].max())  # 1 for the best
        relevance, kind_worth = odds.astype(np.float32), wishes.variety * float(odds[sound].sum())
    elif wishes.diversity:
        relevance = _scaled(scores, sound)
    open_ = np.ones(len(scores), np.bool_)
    standing = _Standing(len(scores), wishes)
    for position in wishes.pins:
        open_[position] = False
        standing.add(position, open_)
    chosen: list[int] = []
    while len(chosen) + len(wishes.pins) < length and open_.any():
        pool = open_ & sound
        if not pool.any():  # what has no score comes last, in its order
            pool, relevance = open_, np.zeros(len(scores), np.float32)
        value = (1 - wishes.diversity) * relevance - wishes.diversity * standing.likeness
        if wishes.variety:
            value = value + kind_worth * standing.lacking
        position = int(np.argmax(np.where(pool, value, -np.inf)))
        chosen.append(position)
        open_[position] = False
        standing.add(position, open_)
    return (
        sorted(chosen, key=lambda position: -scores[position] if sound[position] else inf)
        if wishes.variety
        else chosen
    )


class _Standing:
    """What stands in the slate so far.

    Attributes:
        likeness: float32 (c,), each candidate's largest cosine with what stands, at least 0.
    """

    def __init__(self, count: int, wishes: Wishes) -> None:
        self.likeness = np.zeros(count, np.float32)
        self._vectors, self._kinds = wishes.vectors, wishes.kinds
        self._missing = np.zeros((count, 0), np.bool_) if wishes.kinds is None else wishes.kinds != NO_GROUP
        self._limits = wishes.limits
        self._counts: list[dict[int, int]] = [{} for _ in wishes.limits]

    @property
    def lacking(self) -> Rows:
        """Return int64 (c,), of how many kinds each candidate is that nothing that stands is of."""
        return np.asarray(self._missing.sum(axis=1))

    def add(self, position: int, open_: Mask) -> None:
        """Count one more, and close `open_`, bool (c,), for those whose kind is full now."""
        if self._vectors is not None:
            np.maximum(self.likeness, self._vectors @ self._vectors[position], out=self.likeness)
        if self._kinds is not None:
            self._missing &= ~np.isin(self._kinds, self._kinds[position])
        for limit, counts in zip(self._limits, self._counts, strict=True):
            for group in limit.groups[position].tolist():
                if group == NO_GROUP:
                    break
                counts[group] = counts.get(group, 0) + 1
                if counts[group] >= limit.most:
                    open_ &= ~(limit.groups == group).any(axis=1)


def _scaled(scores: Scores, sound: Mask) -> Scores:
    """Return the scores from 0, the lowest sound one, to 1, the highest."""
    good = scores[sound].astype(np.float64)
    if not len(good):
        return np.zeros(len(scores), np.float32)
    scaled = np.zeros(len(scores), np.float32)
    scaled[sound] = (good - good.min()) / ((good.max() - good.min()) or 1.0)
    return scaled


def _with_pins(free: list[int], length: int, pins: Mapping[int, int]) -> Rows:
    """Return the free positions in their order around the pinned ones; a slate too short ends with its pins."""
    if not pins:
        return np.asarray(free[:length], np.int64)
    by_place = {place: position for position, place in pins.items()}
    left, slate = iter(free), list[int]()
    for place in range(length):
        position = by_place.pop(place) if place in by_place else next(left, None)
        if position is not None:
            slate.append(position)
    return np.asarray(slate, np.int64)
