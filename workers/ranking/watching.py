"""How fresh the slates are, and how good as far as they tell by themselves. Once a batch, not once a candidate."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import Record, UserState
from workers.ranking import metrics
from workers.ranking.candidates import Slate, Step
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.standing import StandingSlates

Seconds = npt.NDArray[np.float64]


_COVERAGE_EVERY_MS = 1_000


class _Made(NamedTuple):
    """Slates that were made and are not yet delivered; times in seconds since the epoch."""

    events: Seconds
    states: Seconds
    taken_up: float
    retrieved: float
    ranked: float


class FreshnessWatch:
    """Follows the slates of a batch from its events to the moment at which they can be read."""

    def __init__(self) -> None:
        self._made: _Made | None = None

    def made(
        self,
        causes: Sequence[tuple[Record, UserState]],
        taken_up: float,
        retrieval_seconds: float,
        ranked: float,
    ) -> None:
        """Note the slates of a batch.

        Args:
            causes: state records and what they hold, one a slate.
            taken_up: when the batch's turn came, seconds since the epoch.
            retrieval_seconds: what finding candidates took of the time since.
            ranked: when the slates were made, seconds since the epoch.
        """
        # A record without CreateTime has no age; NaN stays out of the histograms.
        times = [
            (state.source.create_time_ms or np.nan, record.timestamp_ms or np.nan) for record, state in causes
        ]
        events, states = np.asarray(times, np.float64).reshape(-1, 2).T / 1000
        self._made = _Made(events, states, taken_up, taken_up + retrieval_seconds, ranked)

    def delivered(self, now: float) -> None:
        """Report the batch: its slates can be read from `now` on, seconds since the epoch."""
        made, self._made = self._made, None
        if made is None or not len(made.events):
            return
        moments = np.empty((len(metrics.STAGES) + 1, len(made.events)))
        moments[0], moments[1] = made.events, made.states
        moments[2:] = np.array([[made.taken_up], [made.retrieved], [made.ranked], [now]])
        metrics.FRESHNESS_SECONDS.observe(np.maximum(now - made.events, 0))
        # Two hosts' clocks may differ by milliseconds; no stage takes less than no time.
        for stage, seconds in zip(metrics.STAGES, np.maximum(np.diff(moments, axis=0), 0), strict=True):
            metrics.FRESHNESS_STAGE_SECONDS.observe(seconds, stage)

    def abandoned(self) -> None:
        """Forget a batch that was taken back."""
        self._made = None


class CoverageWatch:
    """How much of the catalogue stands in some slate; measured once a second, for it looks at every item."""

    def __init__(self, catalogue: Catalogue, standing: StandingSlates) -> None:
        self._catalogue = catalogue
        self._standing = standing
        self._next_ms = 0

    def measure(self, now_ms: int) -> None:
        """Report, if it is time; milliseconds since the epoch."""
        metrics.STANDING.set(len(self._standing))
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + _COVERAGE_EVERY_MS
            live = int(self._catalogue.live(now_ms).sum())
            metrics.COVERAGE.set(min(1.0, self._standing.item_count / live) if live else 0)


def watch_quality(
    slates: Sequence[Slate], before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> None:
    """Count repetition and fallbacks.

    Args:
        slates: of one batch.
        before: rows of the slate that stood before each of them, () where none did.
        after: rows of each of them.
    """
    compared = repeated = 0
    for old, new in zip(before, after, strict=True):
        if old:
            compared += len(new)
            repeated += len(set(old).intersection(new))
    metrics.SLATE_ITEMS.inc(sum(map(len, after)))
    metrics.COMPARED_ITEMS.inc(compared)
    metrics.REPEATED_ITEMS.inc(repeated)
    metrics.NO_HISTORY.inc(sum(slate.query.step is Step.NO_HISTORY for slate in slates))


def watch_popularity(slates: Sequence[Slate], generation: Generation) -> None:
    """Count the places that went to the most popular hundredth of the items ever chosen, one at least."""
    rows = np.concatenate([slate.rows for slate in slates])
    popular = generation.popular
    if len(popular) and len(rows):
        least = generation.popularity[popular[max(1, len(popular) // 100) - 1]]
        metrics.POPULAR_ITEMS.inc(int((generation.popularity[rows] >= least).sum()))
