"""How much work the slates of a batch may take: the ladder from the whole model down to popular items."""

from enum import StrEnum

from streams.clock import Clock, monotonic_seconds

_NEW_SHARE = 0.2
_FORGET_A_BATCH = 0.95
"""What is left out looks cheaper with every batch, and so is tried again when the load may have gone."""


class Level(StrEnum):
    """What is done for a slate, best first."""

    FULL = "full"
    VECTOR = "vector"
    POPULAR = "popular"


class Deadline:
    """Chooses the best level that is expected to keep the time given to a batch.

    Expected is what a slate took before, scoring with the whole model apart from everything else; of what never
    ran nothing is known, and it is tried. The last level is always there: slates may be worse, never missing.

    Args:
        seconds: for one batch; None has no limit.
    """

    def __init__(self, seconds: float | None, clock: Clock = monotonic_seconds) -> None:
        self._seconds = seconds
        self._clock = clock
        self._searching_seconds = 0.0
        self._scoring_seconds = 0.0
        self._started = 0.0
        self._scored_for = 0.0

    def start(self, slates: int) -> Level:
        """Begin a batch of `slates` and return its level."""
        self._started = self._clock()
        self._scored_for = 0.0
        if self._seconds is None:
            return Level.FULL
        if self._searching_seconds * slates > self._seconds:
            self._searching_seconds *= _FORGET_A_BATCH
            return Level.POPULAR
        if (self._searching_seconds + self._scoring_seconds) * slates > self._seconds:
            self._scoring_seconds *= _FORGET_A_BATCH
            return Level.VECTOR
        return Level.FULL

    def before_scoring(self, level: Level, slates: int) -> Level:
        """Return the level to score with, now that the candidates are there and their time is gone."""
        if self._seconds is None or level is not Level.FULL:
            return level
        used = self._clock() - self._started
        if used + self._scoring_seconds * slates <= self._seconds:
            return level
        self._scoring_seconds *= _FORGET_A_BATCH
        return Level.VECTOR

    def scored(self, level: Level, slates: int, seconds: float) -> None:
        """Learn what scoring `slates` took."""
        if level is Level.FULL:
            self._scored_for = seconds
            self._scoring_seconds = _mean(self._scoring_seconds, seconds / slates)

    def finish(self, level: Level, slates: int) -> None:
        """Learn what the rest of the batch took."""
        if level is not Level.POPULAR:
            took = (self._clock() - self._started - self._scored_for) / slates
            self._searching_seconds = _mean(self._searching_seconds, took)


def _mean(before: float, now: float) -> float:
    return (1 - _NEW_SHARE) * before + _NEW_SHARE * now if before else now
