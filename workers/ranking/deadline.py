"""How much work the slates of a batch may take: the ladder from the whole model down to popular items."""

from collections.abc import Sequence
from enum import StrEnum

from streams.clock import Clock, monotonic_seconds

_NEW_SHARE = 0.2
_FORGET_A_BATCH = 0.95
"""What is left out looks cheaper with every batch, and so is tried again when the load may have gone."""


class Level(StrEnum):
    """What is done for a slate, best first."""

    FULL = "full"
    MODEL = "model"
    """The whole model without the cross-encoder; a level only where one serves."""
    VECTOR = "vector"
    POPULAR = "popular"


class Deadline:
    """Chooses the best level that is expected to keep the time given to a batch.

    Expected is what a slate took before, scoring by each level that has a model apart from everything else; of
    what never ran nothing is known, and it is tried. The last level is always there: slates may be worse, never
    missing.

    Args:
        seconds: for one batch; None has no limit.
        models: levels that score by a model, best first; below them come `VECTOR` and `POPULAR`.
    """

    def __init__(
        self, seconds: float | None, clock: Clock = monotonic_seconds, models: Sequence[Level] = (Level.FULL,)
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._searching_seconds = 0.0
        self._scoring_seconds = dict.fromkeys(models, 0.0)
        self._started = 0.0
        self._scored_for = 0.0

    def expect(self, level: Level, seconds: float) -> None:
        """Take it that scoring one slate by `level` takes so long, until it has run."""
        if not self._scoring_seconds[level]:
            self._scoring_seconds[level] = seconds

    def start(self, slates: int) -> Level:
        """Begin a batch of `slates` and return its level."""
        self._started = self._clock()
        self._scored_for = 0.0
        if self._seconds is None:
            return Level.FULL
        if self._searching_seconds * slates > self._seconds:
            self._searching_seconds *= _FORGET_A_BATCH
            return Level.POPULAR
        return self._affordable(self._searching_seconds * slates, slates)

    def before_scoring(self, level: Level, slates: int) -> Level:
        """Return the level to score with, now that the candidates are there and their time is gone."""
        if self._seconds is None or level not in self._scoring_seconds:
            return level
        return self._affordable(self._clock() - self._started, slates, level)

    def scored(self, level: Level, slates: int, seconds: float) -> None:
        """Learn what scoring `slates` took."""
        if level in self._scoring_seconds:
            self._scored_for = seconds
            self._scoring_seconds[level] = _mean(self._scoring_seconds[level], seconds / slates)

    def finish(self, level: Level, slates: int) -> None:
        """Learn what the rest of the batch took."""
        if level is not Level.POPULAR:
            took = (self._clock() - self._started - self._scored_for) / slates
            self._searching_seconds = _mean(self._searching_seconds, took)

    def _affordable(self, used: float, slates: int, best: Level = Level.FULL) -> Level:
        """Return the best level, from `best` down, that the time left is enough for."""
        models = list(self._scoring_seconds)
        for level in models[models.index(best) :]:
            if used + self._scoring_seconds[level] * slates <= (self._seconds or 0.0):
                return level
            self._scoring_seconds[level] *= _FORGET_A_BATCH
        return Level.VECTOR


def _mean(before: float, now: float) -> float:
    return (1 - _NEW_SHARE) * before + _NEW_SHARE * now if before else now
