"""Stream time of one partition: what the records say the time is, never the wall's clock."""

from collections.abc import Sequence


class StreamTime:
    """The largest time seen on each of several topics that are joined, and what follows for the join.

    The join's time is that of the topic that is furthest behind, so that reading one topic faster than the other
    after a pause ends no window early; a topic that is silent holds it back by at most `patience_ms`.

    It starts anew with the process: what is read again after a crash is so never judged by a later time than it
    was judged by before.

    Args:
        topics: that are joined.
        jump_ms: most that one record moves time on, beyond the newest seen and beyond its own CreateTime.
    """

    def __init__(self, topics: Sequence[str], jump_ms: int, patience_ms: int = 0) -> None:
        self._times = dict.fromkeys(topics, 0)
        self._jump_ms = jump_ms
        self._patience_ms = patience_ms

    def advance(self, topic: str, time_ms: int, create_ms: int) -> int:
        """Take the time of a record and return the join's time; it never goes back.

        Args:
            create_ms: CreateTime of the record, milliseconds since the epoch.
        """
        newest = max(self._times.values())
        allowed = min(time_ms, create_ms + self._jump_ms)
        if newest:
            allowed = min(allowed, newest + self._jump_ms)
        self._times[topic] = max(self._times[topic], allowed)
        return self.now_ms

    @property
    def now_ms(self) -> int:
        """Return the join's time, milliseconds since the epoch; 0 before the first record."""
        times = self._times.values()
        return max(0, min(times), max(times) - self._patience_ms)
