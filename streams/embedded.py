"""The embedded broker: the mock cluster that librdkafka carries, for a first look without any Kafka.

It speaks the real protocol over TCP and keeps none of Kafka's promises (measured, librdkafka 2.16):
a topic appears when it is used and has four partitions, whatever was asked for; each partition keeps
about 5 MB in memory and then drops its oldest records without a word; nothing is compacted; transactions
are accepted and ignored. So workers run at least once on it, and say so.
"""

from types import TracebackType

from confluent_kafka import Producer

PARTITIONS = 4
"""Of every topic on the embedded broker."""
PARTITION_BYTES = 5_000_000
"""What one partition keeps, as sent (after compression)."""


class EmbeddedBroker:
    """A broker on 127.0.0.1 that lives as long as this object.

    Attributes:
        bootstrap_servers: `host:port`, chosen by the system.
    """

    def __init__(self) -> None:
        self._cluster: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        broker = next(iter(self._cluster.list_topics(timeout=10).brokers.values()))
        self.bootstrap_servers = f"{broker.host}:{broker.port}"

    def close(self) -> None:
        """Stop it; everything that it held is gone."""
        self._cluster = None

    def __enter__(self) -> "EmbeddedBroker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
