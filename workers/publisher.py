"""Puts typed messages on the public topics, keyed as every consumer expects, and misses no failure."""

from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message

from streams.arrivals import record_of
from streams.clock import monotonic_seconds, wall_seconds
from streams.codec import encode_json
from streams.contracts import Event, Item, RankingRequest
from streams.errors import BrokerError
from streams.kafka import partition_count, producer
from streams.settings import Settings
from streams.topics import CATALOGUE, CLICKSTREAM, RANKING_REQUESTS

Delivered = Callable[[int, int, int], None]
"""Takes partition, offset and CreateTime (milliseconds since the epoch) of a record that the broker has."""


class Publisher:
    """Sends items, events and requests. For one thread; `Delivered` callbacks run inside its methods.

    Attributes:
        delivered: records that the broker has.

    Raises:
        SettingError: no broker is set, or a property is refused.
        BrokerError: every method raises it once a record could not be delivered.
    """

    def __init__(self, settings: Settings) -> None:
        self._producer = producer(settings)
        self._timeout_seconds = settings.loop.delivery_timeout_seconds
        self._failed = 0
        self._first_failure = ""
        self.delivered = 0

    def item(self, item: Item) -> None:
        """Send the newest version of an item."""
        self._send(CATALOGUE, item.item_id, encode_json(item), None)

    def delete_item(self, item_id: str) -> None:
        """Send the tombstone of an item."""
        self._send(CATALOGUE, item_id, None, None)

    def event(self, event: Event, delivered: Delivered | None = None) -> None:
        """Send an event; `delivered` hears where in the log it went."""
        self._send(CLICKSTREAM, event.user_id, encode_json(event), delivered)

    def request(self, request: RankingRequest) -> None:
        """Send a request for a slate."""
        self._send(RANKING_REQUESTS, request.user_id, encode_json(request), None)

    def poll(self) -> None:
        """Run the callbacks that are due, without waiting."""
        self._producer.poll(0)
        self._check()

    def flush(self) -> int:
        """Wait until the broker has everything and return how many records it has in all."""
        deadline = monotonic_seconds() + self._timeout_seconds + 1
        while (left := self._producer.flush(0.5)) and not self._failed:
            if monotonic_seconds() > deadline:
                raise _undelivered(left, f"nothing came back in {self._timeout_seconds:g} s")
        self._check()
        return self.delivered

    def _send(self, topic: str, key: str, value: bytes | None, delivered: Delivered | None) -> None:
        # Given by us, because a delivery report of the embedded broker tells a made-up one.
        create_time_ms = int(wall_seconds() * 1000)

        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed += 1
                self._first_failure = self._first_failure or error.str()
                return
            self.delivered += 1
            if delivered is not None:
                record = record_of(message)
                delivered(record.partition, record.offset, create_time_ms)

        while True:
            try:
                return self._producer.produce(
                    topic, value=value, key=key, timestamp=create_time_ms, on_delivery=report
                )
            except BufferError:
                self._producer.poll(0.05)
                self._check()
            except KafkaException as error:
                raise _undelivered(1, error.args[0].str()) from None

    def _check(self) -> None:
        if self._failed:
            raise _undelivered(self._failed, self._first_failure)


def require_topic(settings: Settings, topic: str) -> None:
    """Return if the broker answers and has `topic`.

    Raises:
        BrokerError: otherwise.
    """
    if partition_count(settings, topic) == 0:
        raise BrokerError(f"There is no topic {topic}.", "run `headrace topics create`.")


def _undelivered(count: int, reason: str) -> BrokerError:
    return BrokerError(
        f"{count} records were not delivered: {reason}.",
        "check that the broker is up and that `headrace topics list` shows its topics.",
    )
