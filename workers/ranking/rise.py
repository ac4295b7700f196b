"""How far the pace of the last day lies above that of the week, from decayed counts."""

import numpy as np
import numpy.typing as npt

from streams.contracts.learning import TREND_HOURS

Counts = npt.NDArray[np.float64]
"""float64 (n, windows), a column for each of `TREND_HOURS`."""
HOUR, DAY, WEEK = range(len(TREND_HOURS))
_HOUR_MS = 3_600_000
_WEEK_DAYS = 7


def rise_of(counts: Counts) -> npt.NDArray[np.float64]:
    """Return how much each line rises, float64 (n,); above 0 where it is above its own pace.

    The pace of the last day (the last hour counts twice) over the daily pace of the week, in standard deviations
    of a count that is as large as the week's.
    """
    week = counts[:, WEEK] / _WEEK_DAYS
    rise: npt.NDArray[np.float64] = (counts[:, DAY] + counts[:, HOUR] - week) / np.sqrt(week + 1)
    return rise


def aged(counts: Counts, age_ms: npt.NDArray[np.int64]) -> Counts:
    """Return the counts as they are so much later.

    Args:
        age_ms: int64 (n,), of each line, milliseconds.
    """
    later: Counts = counts * np.exp(-(age_ms / _HOUR_MS)[:, None] / np.asarray(TREND_HOURS))
    return later
