"""Who has to be looked at when: keys by the stream time at which something of theirs is over."""

from heapq import heappop, heappush


class Deadlines:
    """The keys of one partition, earliest deadline first. A key has one deadline, the earliest that was set."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes]] = []
        self._current: dict[bytes, int] = {}

    def set(self, key: bytes, deadline_ms: int) -> None:
        """Look at `key` once stream time is past `deadline_ms`; an earlier deadline that it has stays."""
        before = self._current.get(key)
        if before is None or deadline_ms < before:
            self._current[key] = deadline_ms
            heappush(self._heap, (deadline_ms, key))

    def due(self, now_ms: int) -> list[bytes]:
        """Return the keys whose deadline lies before `now_ms`; each has none until one is set again."""
        found = []
        while self._heap and self._heap[0][0] < now_ms:
            deadline_ms, key = heappop(self._heap)
            if self._current.get(key) == deadline_ms:
                del self._current[key]
                found.append(key)
        return found

    def remove(self, key: bytes) -> None:
        """Forget a key."""
        self._current.pop(key, None)
