"""How much work the slates of a batch may take: the ladder from the whole model down to popular items."""

from enum import StrEnum

from streams.clock import Clock, monotonic_seconds

_NEW_SHARE = 0.2
_FORGET_A_BATCH = 0.95
"""A level that is not taken looks cheaper with every batch, and so is tried again when the load has gone."""


class Level(StrEnum):
    """What is done for a slate, best first."""

    FULL = "full"
    VECTOR = "vector"
    POPULAR = "popular"


_LEVELS = tuple(Level)


class Deadline:
    """Chooses the best level that is expected to keep the time given to a batch.

    Expected is what a slate took at that level before; nothing is known of a level that never ran, and it is
    tried. The last level is always there: slates may be worse, never missing.

    Args:
        seconds: for one batch; None has no limit.
    """

    def __init__(self, seconds: float | None, clock: Clock = monotonic_seconds) -> None:
        self._seconds = seconds
        self._clock = clock
        self._cost_seconds: dict[Level, float] = {}
        self._scoring_seconds = 0.0
        self._started = 0.0

    def start(self, slates: int) -> Level:
        """Begin a batch of `slates` and return its level."""
        self._started = self._clock()
        if self._seconds is None:
            return Level.FULL
        for level in _LEVELS[:-1]:
            if self._cost_seconds.get(level, 0.0) * slates <= self._seconds:
                return level
            self._cost_seconds[level] *= _FORGET_A_BATCH
        return _LEVELS[-1]

    def before_scoring(self, level: Level, slates: int) -> Level:
        """Return the level to score with, now that the candidates are there."""
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
            self._scoring_seconds = _mean(self._scoring_seconds, seconds / slates)

    def finish(self, level: Level, slates: int) -> None:
        """Learn what `slates` took at `level`."""
        took = (self._clock() - self._started) / slates
        self._cost_seconds[level] = _mean(self._cost_seconds.get(level, took), took)


def _mean(before: float, now: float) -> float:
    return (1 - _NEW_SHARE) * before + _NEW_SHARE * now if before else now
