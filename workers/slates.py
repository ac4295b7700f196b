"""Reads `recommendations.v1` as any consumer would, and keeps the newest slate of every user."""

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Message

from streams.clock import wall_seconds
from streams.codec import UNREADABLE, decode_recommendation
from streams.contracts import Recommendation
from streams.errors import BrokerError
from streams.kafka import consumer, idle_fetch_wait_ms, partition_count, whole
from streams.settings import Settings
from streams.topics import RECOMMENDATIONS

_log = structlog.get_logger()
_MOST = 500


class Slates:
    """An ordinary consumer of the whole topic.

    Args:
        from_beginning: read what is there; otherwise only what comes from now on.

    Attributes:
        newest: user -> the last slate that was read.
        read_count: slates read so far.
        read_at_ms: when the last call of `read` got its records, milliseconds since the epoch.
    """

    def __init__(self, settings: Settings, from_beginning: bool = True) -> None:
        wait_ms = idle_fetch_wait_ms(settings)
        self._consumer = consumer(settings, None, enable_partition_eof=False, fetch_wait_max_ms=wait_ms)
        partitions = partition_count(settings, RECOMMENDATIONS)
        if partitions == 0:
            raise BrokerError(f"There is no topic {RECOMMENDATIONS}.", "run `headrace topics create`.")
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        self._consumer.assign(whole(RECOMMENDATIONS, partitions, start))
        self.newest: dict[str, Recommendation] = {}
        self.read_count = 0
        self.read_at_ms = 0.0

    def read(self, wait_seconds: float) -> list[Recommendation]:
        """Return the slates that are there; wait up to `wait_seconds` for the first one.

        Raises:
            BrokerError: the broker refuses this reader for good.
        """
        # poll, then drain: consume(n, t) alone would wait t even when a slate is there.
        first = self._consumer.poll(wait_seconds)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_MOST, 0)]
        self.read_at_ms = wall_seconds() * 1000
        slates = []
        for message in messages:
            if message.error() is None and message.value() is None:  # the user was erased
                self.newest.pop((message.key() or b"").decode(errors="replace"), None)
            elif (slate := _slate(message)) is not None:
                slates.append(slate)
                self.newest[slate.user_id] = slate
        self.read_count += len(slates)
        return slates

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


def _slate(message: Message) -> Recommendation | None:
    if (error := message.error()) is not None:
        if error.fatal():
            raise BrokerError(f"The broker refuses this reader: {error.str()}.", "read the broker's log.")
        return None
    try:
        return decode_recommendation(message.value() or b"")
    except UNREADABLE as why:  # others may write to a public topic
        _log.warning("no slate", topic=message.topic(), offset=message.offset(), error=str(why))
        return None
