"""Hands records to a producer, as cheaply as the client permits."""

from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.contracts import Output

OnDelivery = Callable[[KafkaError | None, Message], None]
_ROOM_SECONDS = 0.05


def queue(producer: Producer, topic: str, records: Sequence[Output], on_delivery: OnDelivery) -> None:
    """Queue the records of one topic in their order; wait for room when the producer's queue is full.

    Args:
        on_delivery: told of the last record of each partition, at least; runs where the producer is served.

    Raises:
        KafkaException: a record is refused.
    """
    # produce_batch takes neither headers nor timestamps, and costs half of produce.
    if any(record.headers or record.timestamp_ms for record in records):
        for record in records:
            queue_one(producer, record, on_delivery)
        return
    lasts = {record.partition: at for at, record in enumerate(records)}.values()
    waiting: list[dict[str, Any]] = [
        {"value": record.value, "key": record.key, "partition": record.partition} for record in records
    ]
    for at in sorted(lasts, reverse=True):
        del waiting[at]
    while waiting and producer.produce_batch(topic, waiting) < len(waiting):
        waiting = [record for record in waiting if _is_left(record)]
        producer.poll(_ROOM_SECONDS)
    # The last of each partition tells where the batch ends.
    for at in lasts:
        queue_one(producer, records[at], on_delivery)


def queue_one(producer: Producer, record: Output, on_delivery: OnDelivery) -> None:
    """Queue a record; wait for room when the producer's queue is full.

    Raises:
        KafkaException: the record is refused.
    """
    while True:
        try:
            return producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
                timestamp=record.timestamp_ms,
                on_delivery=on_delivery,
            )
        except BufferError:
            producer.poll(_ROOM_SECONDS)


def _is_left(record: dict[str, Any]) -> bool:
    """Return whether a record of `produce_batch` was not queued; raises what is not cured by waiting."""
    error: KafkaError | None = record.pop("_error", None)
    if error is not None and error.code() != KafkaError._QUEUE_FULL:
        raise KafkaException(error)
    return error is not None
