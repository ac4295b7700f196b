"""Which event is sent when. Pure: the caller owns the clock and the broker.

The replay is a closed loop. A user's next event goes out when the slate for the one before was read, or when
patience ended; so many users wait at once; among the users who do not wait, the earliest event goes first.

"The slate for an event" is one whose source lies at or past the event's place in the log.
"""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush

PATIENCE_SECONDS = 2.0
_CATCH_UP_SECONDS = 0.05
"""A caller that was late may send at once what fell due in this time."""


class Replay:
    """The state of one replay. Every event is sent exactly once.

    Args:
        users: the user of each event, in the order of the data set.
        sessions: most users who wait for a slate at any moment, >= 1.
        patience_seconds: a user who has waited for longer goes on without a slate.
        rate: most events a second over all users; None for as fast as the slates come.

    Attributes:
        sent: events that were given out.
        answered: events whose slate was read, sooner or later.
        unanswered: events whose slate had not been read when patience ended.
    """

    def __init__(
        self,
        users: Sequence[str],
        sessions: int,
        patience_seconds: float = PATIENCE_SECONDS,
        rate: float | None = None,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._patience_seconds = patience_seconds
        self._gap_seconds = 0.0 if rate is None else 1.0 / rate
        self._next_at = float("-inf")
        self._queues: dict[str, deque[int]] = {}
        for index, user in enumerate(users):
            self._queues.setdefault(user, deque()).append(index)
        self._free = [queue[0] for queue in self._queues.values()]  # ascending, hence a heap
        self._waiting: dict[str, tuple[int, float]] = {}  # user -> (event, sent at), oldest first
        self._open: dict[str, deque[tuple[int, int, int]]] = {}  # user -> (event, partition, offset)
        self._slates: dict[str, tuple[int, int]] = {}  # user -> (partition, offset) of the newest slate
        self.sent = 0
        self.answered = 0
        self.unanswered = 0

    @property
    def done(self) -> bool:
        """Whether every event was sent and nobody waits."""
        return not self._free and not self._waiting

    @property
    def waiting(self) -> int:
        """Users who wait for a slate."""
        return len(self._waiting)

    def user(self, index: int) -> str:
        """Return whose event this is."""
        return self._users[index]

    def next(self, now: float) -> int | None:
        """Return the index of an event to send now, or None; `now` is in seconds and only grows."""
        self._give_up(now)
        if not self._free or len(self._waiting) >= self._sessions or now < self._next_at:
            return None
        index = heappop(self._free)
        user = self._users[index]
        self._queues[user].popleft()
        self._waiting[user] = (index, now)
        self._next_at = max(self._next_at, now - _CATCH_UP_SECONDS) + self._gap_seconds
        self.sent += 1
        return index

    def delivered(self, index: int, partition: int, offset: int) -> list[int]:
        """Say where event `index` lies in the log; return the events that are answered by this."""
        user = self._users[index]
        self._open.setdefault(user, deque()).append((index, partition, offset))
        return self._answered(user)

    def slate(self, user: str, partition: int, offset: int) -> list[int]:
        """Say that a slate with this source was read; return the events that it is the first to answer."""
        known = self._slates.get(user)
        if known is None or known[0] != partition or known[1] < offset:
            self._slates[user] = (partition, offset)
        return self._answered(user)

    def _answered(self, user: str) -> list[int]:
        waiting, newest = self._open.get(user), self._slates.get(user)
        answered: list[int] = []
        while waiting and newest and waiting[0][1] == newest[0] and waiting[0][2] <= newest[1]:
            answered.append(waiting.popleft()[0])
        self.answered += len(answered)
        if user in self._waiting and self._waiting[user][0] in answered:
            self._release(user)
        return answered

    def _give_up(self, now: float) -> None:
        while self._waiting:
            user, (_, sent_at) = next(iter(self._waiting.items()))
            if now - sent_at < self._patience_seconds:
                return
            self.unanswered += 1
            self._release(user)

    def _release(self, user: str) -> None:
        del self._waiting[user]
        if queue := self._queues[user]:
            heappush(self._free, queue[0])
