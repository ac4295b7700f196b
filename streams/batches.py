"""How much a worker takes at once: bounded by records, bytes and the time that handling them takes."""

from collections.abc import Callable

import structlog
from confluent_kafka import Consumer, KafkaError, Message

from streams.arrivals import record_of
from streams.clock import Clock, monotonic_seconds
from streams.errors import BrokerError, Transient
from streams.permissions import FORBIDDEN, forbidden
from streams.settings.kafka import LoopSettings

_log = structlog.get_logger()
_CHUNK_RECORDS = 500
_FIRST_RECORDS = 100
_LEAST_RECORDS = 16
_MOST_GROWTH = 2.0
_FENCED_WORDS = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()


class BatchSize:
    """How many records fit into `loop.batch_seconds`, by what the last batches took.

    Attributes:
        records: most records of the next batch.
    """

    def __init__(self, settings: LoopSettings) -> None:
        self._most = settings.batch_records
        self._seconds = settings.batch_seconds
        self.records = min(_FIRST_RECORDS, self._most)

    def took(self, records: int, seconds: float) -> None:
        """Learn from a batch; a small one does not show that a large one fits."""
        if seconds > self._seconds:
            fitting = int(records * self._seconds / seconds)
            self.records = max(min(_LEAST_RECORDS, self._most), min(self.records, fitting))
        elif records >= self.records:
            self.records = min(self._most, int(records * min(_MOST_GROWTH, self._seconds / max(seconds, 1e-6))))


class Batches:
    """Reads batches.

    Args:
        reader: its callbacks run inside `read`.
        ended: told topic, partition and offset whenever a partition was read to its end.
    """

    def __init__(
        self,
        reader: Consumer,
        settings: LoopSettings,
        clock: Clock = monotonic_seconds,
        ended: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self._consumer = reader
        self._settings = settings
        self._clock = clock
        self._ended = ended
        self._unknown_since: float | None = None
        self.size = BatchSize(settings)

    def read(self, wait_seconds: float) -> list[Message]:
        """Wait for one record, then take what is there, up to the limits.

        Raises:
            BrokerError: the broker refuses this consumer for good.
            Transient: a topic is missing.
        """
        first = self._consumer.poll(wait_seconds)
        if first is None:
            return []
        messages = self._records([first])
        held_bytes, most_bytes = sum(map(len, messages)), self._settings.batch_bytes
        while held_bytes < most_bytes and (room := self.size.records - len(messages)) > 0:
            # As many as fit if they are as large as those before: a chunk of large ones would be half a gigabyte.
            fitting = (most_bytes - held_bytes) * len(messages) // max(1, held_bytes) or 1
            chunk = self._consumer.consume(min(room, fitting, _CHUNK_RECORDS), 0)
            if not chunk:
                break
            records = self._records(chunk)
            messages += records
            held_bytes += sum(map(len, records))
        return messages

    def _records(self, messages: list[Message]) -> list[Message]:
        bad = [(message, error) for message in messages if (error := message.error()) is not None]
        for message, error in bad:
            if error.code() == KafkaError._PARTITION_EOF:
                end = record_of(message)
                self._ended(end.topic, end.partition, end.offset)
            else:
                self._check(error)
        if not bad:
            self._unknown_since = None
            return messages
        return [message for message in messages if message.error() is None]

    def _check(self, error: KafkaError) -> None:
        code = error.code()
        # What is fatal to a consumer comes as `_FATAL` with the cause in its words; `fatal()` does not tell.
        fatal = error.fatal() or code == KafkaError._FATAL
        if code == KafkaError.FENCED_INSTANCE_ID or (fatal and _FENCED_WORDS in error.str()):
            raise BrokerError(
                "Another worker of this kind has started with the same instance name, and has taken over.",
                "give every running worker of one kind its own `instance` (HEADRACE_INSTANCE); after a crash of "
                "the broker there may be no other: start this one again.",
            )
        if code in FORBIDDEN:
            raise forbidden(error.str())
        if fatal:
            raise BrokerError(f"The broker refuses this worker: {error.str()}.", "read the broker's log.")
        if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            # A broker that has just started may not know its topics yet.
            now = self._clock()
            self._unknown_since = now if self._unknown_since is None else self._unknown_since
            if now - self._unknown_since > self._settings.delivery_timeout_seconds:
                raise Transient(f"a topic is not there ({error.str()}); run `headrace topics create`")
        _log.warning("consumer", error=error.str())
