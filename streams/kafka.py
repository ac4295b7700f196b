"""Clients of the broker, made from the settings in one place."""

import logging
from collections.abc import Callable
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from streams.errors import BrokerError, SettingError
from streams.permissions import FORBIDDEN, forbidden
from streams.quiet import Repeats
from streams.settings import Settings

_log = logging.getLogger("headrace.librdkafka")
_log.addFilter(Repeats())
_EMBEDDED_CLUSTER = "mockCluster"
_CONNECT_SECONDS = 10.0
_embedded: dict[str, bool] = {}
"""By address, as far as it was asked."""
# A client that cannot connect waits twice as long each time, up to 10 s by librdkafka's default. After a broker
# was away that would be another 10 s, and once more for the connection to each coordinator.
_RECONNECT_MS = 500
_FETCH_WAIT_MS = 10
"""Whoever reads to the end of a topic learns of it from a fetch that waited this long for more."""
_IDLE_FETCH_WAIT_MS = 100
# Compressed, of one partition. Librdkafka's 1 MB is 8,000 events, too few to have many of the same user. With this
# and batches of 20,000 a state worker that catches up takes two thirds of the time and five sixths of the CPU.
_FETCH_BYTES = 3 * 1024 * 1024


def producer(settings: Settings, **properties: Any) -> Producer:
    """Return an idempotent producer that puts keys where Java's default partitioner puts them.

    Raises:
        SettingError: `kafka.bootstrap_servers` is empty or a property of `kafka.properties` is refused.
    """
    defaults = {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "zstd",
        "linger.ms": 1,
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": int(settings.loop.delivery_timeout_seconds * 1000),
        # Counted before compression, and a dead letter may be all that its producer could compress: only the
        # topic's own limit holds. This is librdkafka's largest.
        "message.max.bytes": 1_000_000_000,
    }
    return cast(Producer, _made(Producer, settings, defaults, properties))


def transactional_producer(
    settings: Settings, transactional_id: str, on_error: Callable[[KafkaError], None] = lambda _: None
) -> Producer:
    """Return a producer for one writer of transactions at a time; raises as `producer` does.

    Args:
        on_error: told of errors that belong to no call, where the producer is served.
    """

    def told(error: KafkaError) -> None:
        _log.warning("%s: %s", transactional_id, error.str())  # librdkafka leaves it to whoever is told
        on_error(error)

    timeout_ms = int(settings.kafka.transaction_timeout_seconds * 1000)
    return producer(
        settings,
        transactional_id=transactional_id,
        transaction_timeout_ms=timeout_ms,
        # A record may not outlive its transaction.
        delivery_timeout_ms=min(timeout_ms, int(settings.loop.delivery_timeout_seconds * 1000)),
        # The next transaction meets CONCURRENT_TRANSACTIONS while the markers of the last are written, and
        # librdkafka then sleeps this long, in nearly every batch while events come one by one. In runs side by
        # side on a busy machine sending the offsets took 15 ms (p50) at 10 ms and 3 ms at 1 ms.
        retry_backoff_ms=1,
        linger_ms=0,
        queue_buffering_max_messages=1_000_000,
        error_cb=told,
    )


def consumer(settings: Settings, group: str | None, **properties: Any) -> Consumer:
    """Return a consumer that reads committed records from the earliest on and commits nothing by itself.

    Args:
        group: its consumer group; None for a reader that assigns itself and has no offsets to keep.

    Raises:
        SettingError: as for `producer`.
    """
    defaults = {
        "group.id": group or f"{settings.kafka.group_prefix}.reader.{settings.instance}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": int(settings.kafka.session_timeout_seconds * 1000),
        "heartbeat.interval.ms": max(300, int(settings.kafka.session_timeout_seconds * 100)),
        "fetch.wait.max.ms": _FETCH_WAIT_MS,
        "max.partition.fetch.bytes": _FETCH_BYTES,
        "topic.metadata.refresh.interval.ms": 30_000,
    }
    return cast(Consumer, _made(Consumer, settings, defaults, properties))


def admin(settings: Settings) -> AdminClient:
    """Return an admin client; raises as `producer` does."""
    return cast(AdminClient, _made(AdminClient, settings, {}, {}))


def is_embedded(settings: Settings) -> bool:
    """Return whether the broker is the one that `headrace broker` runs; raises as `partition_count` does.

    It is asked once: a new client takes 50 ms to connect.
    """
    servers = settings.kafka.bootstrap_servers
    if servers not in _embedded:
        _embedded[servers] = embedded_cluster(metadata(settings))
    return _embedded[servers]


def embedded_cluster(cluster: ClusterMetadata) -> bool:
    """Return whether this is what the embedded broker says of itself."""
    return str(cluster.cluster_id).startswith(_EMBEDDED_CLUSTER)


def idle_fetch_wait_ms(settings: Settings) -> int:
    """Return how long the fetches of a reader may wait that goes on and on; raises as `partition_count` does.

    Kafka ends a fetch when there are records, and each that returns empty costs it processor time: those of an
    idle pipeline took a fifth of a core at 10 ms, half of that at 100. The embedded broker lets every fetch wait
    to its end: at 100 ms events took 195 ms to become slates (p50).
    """
    return _FETCH_WAIT_MS if is_embedded(settings) else _IDLE_FETCH_WAIT_MS


def partition_count(settings: Settings, topic: str) -> int:
    """Return how many partitions `topic` has, 0 when there is no such topic.

    Raises:
        BrokerError: the broker does not answer, or does not permit to ask.
    """
    found = metadata(settings, topic).topics.get(topic)
    if found is not None and found.error is not None and found.error.code() in FORBIDDEN:
        raise forbidden(f"{topic}: {found.error.str()}")
    return 0 if found is None or found.error is not None else len(found.partitions)


def topic_identity(settings: Settings, topic: str) -> str:
    """Return what tells a topic from one that was made again under its name.

    Raises:
        BrokerError: the broker does not tell.
    """
    client = admin(settings)  # held until the answer is in
    try:
        (answer,) = client.describe_topics(TopicCollection([topic])).values()
        return str(answer.result(_CONNECT_SECONDS).topic_id)
    except (KafkaException, TimeoutError) as error:
        raise BrokerError(f"The broker does not describe {topic}: {error}.", "read the broker's log.") from None


def whole(topic: str, partitions: int, offset: int) -> list[TopicPartition]:
    """Return every partition of `topic` at `offset` (a number, or one of confluent-kafka's OFFSET_ constants)."""
    return [TopicPartition(topic, partition, offset) for partition in range(partitions)]


def metadata(settings: Settings, topic: str | None = None) -> ClusterMetadata:
    """Return what the broker says of one topic, or of all of them.

    Raises:
        BrokerError: it does not answer.
    """
    client = admin(settings)
    try:
        return client.list_topics(topic=topic, timeout=_CONNECT_SECONDS)
    except KafkaException as error:
        raise BrokerError(
            f"No broker answers at {settings.kafka.bootstrap_servers}: {error.args[0].str()}.",
            "start it, or correct kafka.bootstrap_servers (HEADRACE_KAFKA__BOOTSTRAP_SERVERS).",
        ) from None


def _made(kind: type[Any], settings: Settings, defaults: dict[str, Any], properties: dict[str, Any]) -> Any:
    if not settings.kafka.bootstrap_servers:
        raise SettingError(
            "Setting kafka.bootstrap_servers is empty.",
            "set HEADRACE_KAFKA__BOOTSTRAP_SERVERS to host:port of your Kafka, or run `headrace broker`.",
        )
    theirs = {name: value.get_secret_value() for name, value in settings.kafka.properties.items()}
    config = {
        "bootstrap.servers": settings.kafka.bootstrap_servers,
        "client.id": f"headrace-{settings.instance}",
        "reconnect.backoff.max.ms": _RECONNECT_MS,
        **defaults,
        **{name if callable(value) else name.replace("_", "."): value for name, value in properties.items()},
        **theirs,
    }
    try:
        return kind(config, logger=_log)
    except (KafkaException, TypeError, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        if theirs:
            raise SettingError(
                f"Setting kafka.properties is refused by librdkafka: {reason}.",
                "correct HEADRACE_KAFKA__PROPERTIES or `kafka.properties` in the YAML file.",
            ) from None
        raise SettingError(
            f"librdkafka refuses what the settings make of it: {reason}.",
            "correct the setting under kafka or loop that says the same, such as kafka.bootstrap_servers.",
        ) from None
