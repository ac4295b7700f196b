"""Says the same thing once in a while."""

import logging
from typing import Final

from streams.clock import monotonic_seconds

_SECONDS: Final = 10.0
_MOST: Final = 1_000


class Repeats(logging.Filter):
    """Lets a line of librdkafka pass once in 10 s; what it says of durations does not tell two lines apart.

    A consumer says twenty times a second that its broker refuses connections (librdkafka 2.16).
    """

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line has not been said for a while."""
        line = record.getMessage().partition(" (after ")[0]
        now = monotonic_seconds()
        if now - self._said_at.get(line, -_SECONDS) < _SECONDS:
            return False
        if len(self._said_at) >= _MOST:
            self._said_at.clear()
        self._said_at[line] = now
        return True
