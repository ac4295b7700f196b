"""The only place that asks what time it is, so that tests can say it instead."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], float]
"""Returns seconds since the Unix epoch, UTC."""

wall_seconds: Clock = time.time
monotonic_seconds: Clock = time.monotonic
sleep_seconds: Callable[[float], None] = time.sleep

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since the epoch of an aware `moment`, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(epoch_ms: int) -> datetime:
    """Return the aware UTC moment `epoch_ms` milliseconds after the epoch."""
    return _EPOCH + epoch_ms * _MILLISECOND
