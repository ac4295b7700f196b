"""Asking for an erasure, and hearing of what was done."""

from collections.abc import Collection
from uuid import uuid4

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from streams.arrivals import record_of
from streams.clock import Clock, from_ms, monotonic_seconds, wall_seconds
from streams.codec import UNREADABLE, decode_receipt, encode_json
from streams.contracts import Erasure, Output, Receipt, Record
from streams.delivery import AtLeastOnce
from streams.errors import BrokerError
from streams.kafka import consumer, partition_count, producer
from streams.partitioner import owner
from streams.privacy.pseudonyms import known_as
from streams.settings import Settings
from streams.topics import ERASURES, RECEIPTS


def request_erasure(settings: Settings, user_id: str, clock: Clock = wall_seconds) -> Erasure:
    """Put the request to forget a user into the log, on the partition that owns them, and return it.

    Args:
        user_id: the user's own id; with pseudonyms in use only the pseudonym is written.

    Raises:
        BrokerError: there is no such topic, or no broker answers.
        SettingError: no broker is set.
        Transient: the broker did not take the request.
    """
    name = known_as(user_id, settings.privacy)
    partitions = partition_count(settings, ERASURES)
    if partitions == 0:
        raise BrokerError(f"There is no topic {ERASURES}.", "run `headrace topics create`.")
    request = Erasure(erasure_id=uuid4().hex, user_id=name, requested_at=from_ms(int(clock() * 1000)))
    reader = consumer(settings, None)
    delivery = AtLeastOnce(reader, producer(settings), settings.loop.delivery_timeout_seconds)
    delivery.begin()
    key = name.encode()
    delivery.write([Output(ERASURES, owner(key, partitions), key, encode_json(request))])
    delivery.wait()
    reader.close()
    return request


def await_receipts(
    settings: Settings, request: Erasure, workers: Collection[str], wait_seconds: float
) -> list[Receipt]:
    """Return the receipts of an erasure, the first of each worker, in the order in which they came.

    Args:
        workers: whose receipts to wait for.
        wait_seconds: return then with what there is.

    Raises:
        BrokerError: no broker answers.
    """
    key = request.user_id.encode()
    partition = owner(key, partition_count(settings, RECEIPTS))
    reader = consumer(settings, None, enable_partition_eof=False)
    reader.assign([TopicPartition(RECEIPTS, partition, OFFSET_BEGINNING)])
    found: dict[str, Receipt] = {}
    deadline = monotonic_seconds() + wait_seconds
    try:
        while not found.keys() >= set(workers) and (left := deadline - monotonic_seconds()) > 0:
            message = reader.poll(min(left, 0.2))
            if message is not None and message.error() is None:
                told = _receipt(record_of(message), request)
                if told is not None:
                    found.setdefault(told.worker, told)
    finally:
        reader.close()
    return list(found.values())


def _receipt(record: Record, request: Erasure) -> Receipt | None:
    if record.key != request.user_id.encode() or record.value is None:
        return None
    try:
        told = decode_receipt(record.value)
    except UNREADABLE:  # others may write to a public topic
        return None
    return told if told.erasure_id == request.erasure_id else None
