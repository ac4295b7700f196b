"""Whether users' states lie where their events go; topics that were given more partitions part the two."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError
from confluent_kafka.admin._metadata import ClusterMetadata

from streams.arrivals import place_of
from streams.clock import monotonic_seconds
from streams.kafka import consumer, embedded_cluster, whole
from streams.partitioner import LOOKED_AT, astray
from streams.settings import Settings
from streams.topics import USER_STATE
from workers.doctor.findings import Finding, problem

_SECONDS: Final = 10.0


def placement(settings: Settings, cluster: ClusterMetadata) -> Iterator[Finding]:
    """Look at the first users of each partition."""
    if embedded_cluster(cluster) or USER_STATE not in cluster.topics:
        return
    partitions = len(cluster.topics[USER_STATE].partitions)
    users = _first_users(settings, partitions)
    elsewhere = sum(astray(keys, partition, partitions) for partition, keys in users.items())
    if elsewhere:
        yield problem(
            "Partitions",
            f"{elsewhere} of {sum(map(len, users.values()))} users on {USER_STATE} lie on other partitions than "
            "their events go to: the topics have got more partitions since.",
            "make the topics again with one number of partitions and load the events again: "
            "state workers that find such users do not start.",
        )


def _first_users(settings: Settings, partitions: int) -> dict[int, list[bytes]]:
    """Return the keys of the oldest records by partition, `LOOKED_AT` of each at most."""
    reader = consumer(settings, None)
    reader.assign(whole(USER_STATE, partitions, OFFSET_BEGINNING))
    found: dict[int, list[bytes]] = defaultdict(list)
    left, deadline = set(range(partitions)), monotonic_seconds() + _SECONDS
    try:
        while left and monotonic_seconds() < deadline:
            for message in reader.consume(1_000, 0.2):
                error, key = message.error(), message.key()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    continue
                _, partition, _ = place_of(message)
                if error is None and key is not None and partition in left:
                    found[partition].append(key)
                if error is not None or len(found[partition]) >= LOOKED_AT:
                    left.discard(partition)
    finally:
        reader.close()
    return found
