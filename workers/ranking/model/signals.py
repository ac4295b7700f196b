"""What the user tower is told of an event beside its item: a signal and the time since the event before."""

from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts import EventType
from streams.contracts.events import RETRACTIONS

Integers = npt.NDArray[np.int64]

RATING_BUCKETS: Final = 5
EVENT_TYPES: Final = tuple(EventType)
SIGNALS: Final = RATING_BUCKETS + len(EVENT_TYPES) - len(RETRACTIONS)
"""Signals are 0 to SIGNALS - 1: the rating buckets, worst first, then the event types in their order.

Retractions, the last types, are in no history."""

NO_GAP: Final = 0
"""The gap of the oldest event of a history: what came before it is not known."""

_SILENT: Final = frozenset({EventType.IMPRESSION, EventType.SEARCH}) | RETRACTIONS
_RATING: Final = EVENT_TYPES.index(EventType.RATING)
_SECOND, _HOUR, _DAY = 1_000, 3_600_000, 86_400_000
_GAP_EDGES_MS: Final = np.array(
    [_SECOND * count for count in (1, 10, 20, 40, 60, 120, 300, 600, 1_800)]
    + [_HOUR, 6 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 30 * _DAY, 120 * _DAY],
    dtype=np.int64,
)
GAPS: Final = len(_GAP_EDGES_MS) + 2
"""Gap buckets are 0 to GAPS - 1."""


def belongs_to_history(event_type: EventType) -> bool:
    """Return whether the model learns from such events; being shown an item is no act, a search has none."""
    return event_type not in _SILENT


def signal_of(event_type: int, value: float | None, low: float, high: float) -> int:
    """Return the signal of an event, the same in training and serving.

    Args:
        event_type: `EventType` as its position in that enumeration, as in `Interaction`.
        value: of a rating; other types' values are not read.
        low: worst rating of the scale.
        high: best rating of the scale; values beyond the scale count as its ends.

    Raises:
        ValueError: events of this type are in no history, or a rating has no value.
    """
    if EVENT_TYPES[event_type] in _SILENT:
        raise ValueError(f"{EVENT_TYPES[event_type].value} events have no signal")
    if event_type != _RATING:
        return RATING_BUCKETS + event_type
    if value is None:
        raise ValueError("a rating needs a value")
    bucket = int((value - low) / (high - low) * RATING_BUCKETS)
    return min(max(bucket, 0), RATING_BUCKETS - 1)


def gap_bucket(gap_ms: Integers) -> Integers:
    """Return the bucket, 1 to GAPS - 1, of each time between two neighbouring events, in milliseconds."""
    return np.asarray(1 + np.searchsorted(_GAP_EDGES_MS, gap_ms, side="right"), dtype=np.int64)
