"""A producer and a consumer that note what is asked of them and fail where a test says so."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException


class FakeProducer:
    """A transactional producer.

    Attributes:
        calls: names of the functions that were called, in order.
        failures: function -> errors that it raises, first one first.
        offsets: what was sent into transactions, in order.
        errors: what the next poll tells, of no call.
    """

    def __init__(self, on_error: Callable[[KafkaError], None]) -> None:
        self.calls: list[str] = []
        self.failures: dict[str, list[KafkaError]] = {}
        self.sent: list[tuple[str, int, bytes | None]] = []
        self.visible: list[tuple[str, int, bytes | None]] = []
        self.offsets: list[Any] = []
        self.room = 1_000_000
        self.errors: list[KafkaError] = []
        self._on_error = on_error
        self._reports: list[Callable[[], None]] = []

    def list_topics(self, timeout: float) -> None: ...

    def init_transactions(self, timeout: float) -> None:
        self._called("init")

    def begin_transaction(self) -> None:
        self._called("begin")

    def produce(self, topic: str, *, partition: int, value: Any, on_delivery: Any, **_: Any) -> None:
        self._called("produce")
        if self.room <= 0:
            raise BufferError
        self.room -= 1
        self.sent.append((topic, partition, value))
        offset = sum(place[:2] == (topic, partition) for place in self.sent) - 1
        message = SimpleNamespace(topic=lambda: topic, partition=lambda: partition, offset=lambda: offset)
        self._reports.append(lambda: on_delivery(None, message))

    def produce_batch(self, topic: str, records: list[dict[str, Any]]) -> int:
        self._called("produce_batch")
        queued = 0
        for record in records:
            if self.room <= 0:
                record["_error"] = KafkaError(KafkaError._QUEUE_FULL)
                continue
            self.room -= 1
            queued += 1
            self.sent.append((topic, record["partition"], record["value"]))
        return queued

    def poll(self, seconds: float) -> None:
        while self.errors:
            self._on_error(self.errors.pop(0))
        if seconds:
            self._called("poll")
            self.room += 2

    def send_offsets_to_transaction(self, offsets: Any, group: Any, timeout: float) -> None:
        self._called("send_offsets")
        self.offsets.append(offsets)

    def commit_transaction(self, timeout: float) -> None:
        self._called("commit")
        for report in self._reports:
            report()
        self._reports.clear()
        self.visible += self.sent
        self.sent = []

    def abort_transaction(self, timeout: float) -> None:
        self._called("abort")
        self.sent = []

    def purge(self) -> None:
        self.calls.append("purge")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.failures.get(name):
            raise KafkaException(self.failures[name].pop(0))


class FakeConsumer:
    """A consumer that is only asked for its group."""

    def consumer_group_metadata(self) -> object:
        return object()
