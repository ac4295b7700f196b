"""Feeds events at a steady rate, and watches when their states become visible."""

import threading
import time
from datetime import UTC, datetime
from itertools import pairwise
from types import TracebackType
from typing import Final, NamedTuple

from confluent_kafka import OFFSET_END

from streams.arrivals import record_of
from streams.clock import wall_seconds
from streams.codec import decode_user_state
from streams.kafka import consumer, producer, whole
from streams.partitioner import owner
from streams.settings import Settings
from streams.topics import CLICKSTREAM, USER_STATE
from tests.bench.state_parts.workload import PARTITIONS, event

_USERS: Final = 2_000


class Seen(NamedTuple):
    """One state: where, when it could be read, when the newest event in it was sent; seconds since the epoch."""

    partition: int
    at: float
    sent_at: float


class Watch:
    """Reads `user.state.v1` from now on, committed records only, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.seen: list[Seen] = []
        self._stopped = threading.Event()
        self._reader = consumer(settings, None, enable_partition_eof=False)
        self._reader.assign(whole(USER_STATE, PARTITIONS, OFFSET_END))
        self._reader.poll(1.0)
        self._thread = threading.Thread(target=self._run, name="watch")
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            first = self._reader.poll(0.1)
            if first is None:
                continue
            found = [first, *self._reader.consume(10_000, 0)]
            now = wall_seconds()
            for record in (record_of(message) for message in found if message.error() is None):
                if record.value is not None:
                    sent_at = decode_user_state(record.value).create_time_ms / 1000
                    self.seen.append(Seen(record.partition, now, sent_at))

    def shows(self, since: float) -> bool:
        """Return whether every partition has shown an event that was sent after `since`."""
        return len({seen.partition for seen in list(self.seen) if seen.sent_at > since}) == PARTITIONS

    def silence_seconds(self, since: float) -> float:
        """Return the longest time after `since` in which some partition showed nothing."""
        longest = 0.0
        for number in range(PARTITIONS):
            times = [seen.at for seen in self.seen if seen.partition == number]
            before = [at for at in times if at <= since][-1:]
            after = [*before, *(at for at in times if at > since)]
            longest = max(longest, *(b - a for a, b in pairwise(after)))
        return longest

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._reader.close()


class Feed:
    """Sends events at `rate` a second, in a thread of its own."""

    def __init__(self, settings: Settings, rate: float) -> None:
        self._rate = rate
        self._client = producer(settings, delivery_timeout_ms=120_000, linger_ms=0)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed")
        self._thread.start()

    def _run(self) -> None:
        began, number = time.monotonic(), 0
        while not self._stopped.is_set():
            key = f"user-{number * 7_919 % _USERS}".encode()
            value = event(number, key.decode(), number % 1_000, datetime.now(UTC))
            self._client.produce(CLICKSTREAM, key=key, value=value, partition=owner(key, PARTITIONS))
            self._client.poll(0)
            number += 1
            self._stopped.wait(max(0.0, began + number / self._rate - time.monotonic()))

    def __enter__(self) -> "Feed":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._client.flush(120)
