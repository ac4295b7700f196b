"""Where the time of one batch goes: laps are added up while it runs, and reported once at its end."""

from typing import Final

from prometheus_client import Histogram

from streams.clock import Clock, monotonic_seconds

Stage = tuple[str, str]
"""Stage and the name of what ran in it: the labels of the histogram."""
RETRIEVAL: Final = frozenset({"hydrate", "source"})


class Laps:
    """A stopwatch that knows by name what it measures. A lap costs 0.2 µs, `report` 1.5 µs a stage.

    Args:
        histogram: takes the seconds of each stage, a value a batch; labels `stage` and `name`.
    """

    def __init__(self, histogram: Histogram, clock: Clock = monotonic_seconds) -> None:
        self._histogram = histogram
        self._clock = clock
        self._seconds: dict[Stage, float] = {}
        self._children: dict[Stage, Histogram] = {}
        self._at = 0.0
        self.retrieval_seconds = 0.0
        """Of the last batch that was reported."""

    def start(self) -> None:
        """Begin a batch; what was charged since the last report was no batch's, as of an answer to a request."""
        self._seconds.clear()
        self._at = self._clock()

    def lap(self, stage: Stage) -> None:
        """Charge the time since the last lap to `stage`."""
        now = self._clock()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._at
        self._at = now

    def report(self) -> None:
        """End the batch."""
        self.retrieval_seconds = sum(
            seconds for (stage, _), seconds in self._seconds.items() if stage in RETRIEVAL
        )
        for labels, seconds in self._seconds.items():
            if labels not in self._children:
                self._children[labels] = self._histogram.labels(*labels)
            self._children[labels].observe(seconds)
        self._seconds.clear()
