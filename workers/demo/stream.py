"""The clickstream of the demo: sends events and reads the slates that answer them, on one thread."""

from collections.abc import Callable, Sequence
from functools import partial

from streams.clock import monotonic_seconds
from streams.contracts import Event
from streams.topics import CLICKSTREAM
from workers.demo.numbers import Numbers, Pace, freshness
from workers.demo.replay import Replay
from workers.demo.scoring import Prequential
from workers.publisher import Publisher
from workers.slates import Slates

_WAIT_SECONDS = 0.005
_CHECK_SECONDS = 0.25
_STALLED_SECONDS = 90.0
"""No slate for so long while users are behind: longer than a worker needs to start and restore."""

Position = tuple[int, int]
Check = Callable[[], None]
Show = Callable[[Numbers], None]


class Stream:
    """One producer, one consumer, and where in the log each user stands.

    Args:
        check: called about four times a second; raises when something died.

    Attributes:
        scores: accuracy of the replay so far.
        freshness_seconds: of every replayed event whose slate was read.
        replay_seconds: how long the replay took.
    """

    def __init__(self, publisher: Publisher, slates: Slates, check: Check) -> None:
        self._publisher = publisher
        self._slates = slates
        self._check = check
        self._checked_at = 0.0
        self._last: dict[str, Position] = {}  # user -> partition and offset of the last event
        self._create_ms: dict[int, int] = {}  # replayed event -> its record's CreateTime
        self.scores = Prequential()
        self.freshness_seconds: list[float] = []
        self.replay_seconds = 0.0

    @property
    def users(self) -> int:
        """Users who were sent events of."""
        return len(self._last)

    @property
    def users_up_to_date(self) -> int:
        """Users whose newest slate is at or past their last event."""
        return sum(self._is_up_to_date(user, at) for user, at in self._last.items())

    def send_history(self, events: Sequence[Event], done: Callable[[int], None]) -> None:
        """Send events as fast as the broker takes them, then wait for their users' slates."""
        for event in events:
            self._publisher.event(event, partial(self._note, event.user_id))
            self._publisher.poll()
        self._publisher.flush()
        self.drain(done)

    def replay(self, events: Sequence[Event], schedule: Replay, show: Show) -> None:
        """Run the closed loop to its end."""
        started_at = monotonic_seconds()
        event_pace, slate_pace = Pace(), Pace()
        while not schedule.done:
            now = monotonic_seconds()
            while (index := schedule.next(now)) is not None:
                event = events[index]
                self.scores.test(event, self._shown_to(event.user_id))
                self._publisher.event(event, partial(self._delivered, schedule, index))
            self._publisher.poll()
            for slate in self._slates.read(_WAIT_SECONDS):
                if slate.source.topic == CLICKSTREAM:
                    answered = schedule.slate(slate.user_id, slate.source.partition, slate.source.offset)
                    self._measure(answered, self._slates.read_at_ms)
            if self._due(now):
                show(
                    Numbers(
                        sent=schedule.sent,
                        total=len(events),
                        unanswered=schedule.unanswered,
                        lag=schedule.sent - schedule.answered,
                        events_per_second=event_pace.per_second(now, schedule.sent),
                        slates_per_second=slate_pace.per_second(now, self._slates.read_count),
                        freshness=freshness(self.freshness_seconds),
                        hit_rate=self.scores.headrace.hit_rate_at_10,
                        popularity_hit_rate=self.scores.popularity.hit_rate_at_10,
                    )
                )
        self.replay_seconds = monotonic_seconds() - started_at

    def drain(self, done: Callable[[int], None] = lambda users: None) -> None:
        """Read until every user is up to date, or until nothing has come for 90 seconds."""
        self._publisher.flush()
        behind = {user for user, at in self._last.items() if not self._is_up_to_date(user, at)}
        progress_at = monotonic_seconds()
        while behind:
            for slate in self._slates.read(0.1):
                user = slate.user_id
                if user in behind and self._is_up_to_date(user, self._last[user]):
                    behind.remove(user)
                    progress_at = monotonic_seconds()
            done(len(self._last) - len(behind))
            now = monotonic_seconds()
            if self._due(now) and now - progress_at > _STALLED_SECONDS:
                return

    def _shown_to(self, user: str) -> tuple[str, ...]:
        slate = self._slates.newest.get(user)
        return () if slate is None else tuple(item.item_id for item in slate.items)

    def _is_up_to_date(self, user: str, at: Position) -> bool:
        slate = self._slates.newest.get(user)
        if slate is None or slate.source.topic != CLICKSTREAM:
            return False
        return slate.source.partition == at[0] and slate.source.offset >= at[1]

    def _note(self, user: str, partition: int, offset: int, create_time_ms: int) -> None:
        self._last[user] = (partition, offset)

    def _delivered(self, schedule: Replay, index: int, partition: int, offset: int, create_time_ms: int) -> None:
        self._note(schedule.user(index), partition, offset, create_time_ms)
        self._create_ms[index] = create_time_ms
        # Only when the slate overtook this report, and then it was in the last batch that was read.
        self._measure(schedule.delivered(index, partition, offset), self._slates.read_at_ms)

    def _measure(self, answered: Sequence[int], read_at_ms: float) -> None:
        for index in answered:
            self.freshness_seconds.append(max(0.0, read_at_ms - self._create_ms.pop(index)) / 1000)

    def _due(self, now: float) -> bool:
        if now - self._checked_at < _CHECK_SECONDS:
            return False
        self._checked_at = now
        self._check()
        return True
