"""Makes a worker's loop from its settings: who it is, how it reads, how it delivers."""

import gc
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from confluent_kafka import Consumer, TopicPartition

from streams.alternating import AlternatingDelivery
from streams.delivery import AtLeastOnce, Delivery
from streams.errors import SettingError
from streams.kafka import consumer, idle_fetch_wait_ms, is_embedded, producer, transactional_producer
from streams.loop import Loop
from streams.ownership import Partitions
from streams.settings import Settings
from streams.transactions import TransactionalDelivery
from streams.transform import Transform

_log = structlog.get_logger()
_GC_OBJECTS = 100_000


def worker_loop(
    name: str,
    transform: Transform[Any],
    settings: Settings,
    on_change: Callable[[Partitions], None] = lambda _: None,
) -> Loop[Any]:
    """Return the loop of the worker `name`; it subscribes at once.

    Raises:
        SettingError: `loop.delivery` asks for what the broker cannot do.
        BrokerError: no broker answers.
    """
    embedded = is_embedded(settings)
    group = group_of(name, settings)
    # A static member comes back after a restart without a rebalance; the embedded broker has none.
    static = {} if embedded else {"group_instance_id": identity(name, settings)}
    reader = consumer(settings, group, fetch_wait_max_ms=idle_fetch_wait_ms(settings), **static)
    try:
        place = TopicPartition(transform.sources[0], 0, 0)
        delivery = delivery_of(name, settings, reader, embedded, place)
    except BaseException:
        reader.close()
        raise
    return Loop(transform, reader, group, delivery, settings, on_change=on_change)


def spare_collections() -> None:
    """Keep Python's collector from walking through what is no garbage; for a process, before its loop runs.

    At the usual thresholds it takes a quarter of the state worker's processor time.
    """
    gc.collect()
    gc.freeze()  # what was imported stays
    gc.set_threshold(_GC_OBJECTS, 20, 100)  # a batch's records are no garbage before its end


def group_of(name: str, settings: Settings) -> str:
    """Return the consumer group of a kind of worker."""
    return f"{settings.kafka.group_prefix}.{name}"


def identity(name: str, settings: Settings) -> str:
    """Return what a worker is known by to the broker, before and after a restart."""
    return f"{group_of(name, settings)}.{settings.instance}"


def delivery_of(
    name: str, settings: Settings, reader: Consumer, embedded: bool, place: TopicPartition
) -> Delivery:
    """Return the delivery that `loop.delivery` asks for; raises as `worker_loop` does.

    Args:
        place: some partition of the worker's group.
    """
    wanted = settings.loop.delivery
    if embedded and wanted == "exactly_once":
        raise SettingError(
            "Setting loop.delivery is exactly_once, and the embedded broker keeps no promise about transactions.",
            "use Apache Kafka, or set HEADRACE_LOOP__DELIVERY to auto or at_least_once.",
        )
    timeout_seconds = settings.loop.delivery_timeout_seconds
    if embedded or wanted == "at_least_once":
        _log.info("delivery", guarantee="at least once")
        return AtLeastOnce(reader, producer(settings), timeout_seconds)
    writer = identity(name, settings)
    _log.info("delivery", guarantee="exactly once", writer=writer)

    def of(transactional_id: str) -> TransactionalDelivery:
        make_producer = partial(transactional_producer, settings, transactional_id)
        return TransactionalDelivery(reader, make_producer, timeout_seconds, place, writer)

    return AlternatingDelivery(of, writer)
