"""Makes the topics, and checks that they fit together."""

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from streams.clock import monotonic_seconds, sleep_seconds
from streams.errors import BrokerError
from streams.kafka import admin, embedded_cluster, metadata, partition_count
from streams.settings import Settings
from streams.topics import (
    CATALOGUE,
    CLICKSTREAM,
    ERASURES,
    RANKING_ANSWERS,
    RANKING_QUERIES,
    RANKING_REQUESTS,
    RECEIPTS,
    RECOMMENDATIONS,
    REKEYED,
    USER_ACTIONS,
    USER_STATE,
    USER_VECTORS,
    all_topics,
)

_SECONDS = 30.0
CO_PARTITIONED = (
    CLICKSTREAM,
    REKEYED,
    ERASURES,
    USER_STATE,
    USER_ACTIONS,
    USER_VECTORS,
    RECOMMENDATIONS,
    RECEIPTS,
    CATALOGUE,
    RANKING_REQUESTS,
    RANKING_QUERIES,
    RANKING_ANSWERS,
)


class Found(NamedTuple):
    """A topic as it is on the broker; no partitions means that it is not there."""

    name: str
    partitions: int
    cleanup: str


def create_topics(settings: Settings, encoder_id: str) -> list[str]:
    """Make the topics that are missing and return their names, once each of their partitions has a leader.

    Raises:
        BrokerError: the broker refuses one, or a partition has no leader after half a minute.
    """
    cluster = metadata(settings)
    client = admin(settings)  # held until every answer is in: librdkafka ends the calls of a client that is gone
    there = () if embedded_cluster(cluster) else cluster.topics
    missing = [topic for topic in all_topics(encoder_id) if topic.name not in there]
    if embedded_cluster(cluster):
        # Asking for a topic's partitions makes it appear, with four of them.
        for topic in missing:
            client.list_topics(topic.name, timeout=_SECONDS)
        return [topic.name for topic in missing]
    partitions, replicas = settings.topics.partitions, settings.topics.replication_factor
    # A write is acknowledged by all replicas that are in step: with three, one may be away and none is lost.
    in_step = {"min.insync.replicas": str(max(1, replicas - 1))}
    new = [NewTopic(topic.name, partitions, replicas, config=topic.config | in_step) for topic in missing]
    for name, done in (client.create_topics(new, operation_timeout=_SECONDS) if new else {}).items():
        try:
            done.result(_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(
                    f"Topic {name} cannot be made: {error.args[0].str()}.",
                    "correct topics.partitions or topics.replication_factor, or the broker's permissions.",
                ) from None
    _await_leaders(client, [TopicPartition(topic.name, n) for topic in missing for n in range(partitions)])
    return [topic.name for topic in missing]


def describe_topics(settings: Settings, encoder_id: str) -> list[Found]:
    """Return every topic of ours as it is on the broker."""
    found = metadata(settings).topics
    return [
        Found(topic.name, len(found[topic.name].partitions) if topic.name in found else 0, topic.cleanup)
        for topic in all_topics(encoder_id)
    ]


def topic_configs(settings: Settings, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return topic -> its settings as the broker has them.

    Raises:
        KafkaException: one is not there, or the broker does not tell.
    """
    client = admin(settings)  # held: librdkafka ends the calls of a client that is gone
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    return {
        resource.name: {name: entry.value for name, entry in answer.result(_SECONDS).items()}
        for resource, answer in client.describe_configs(asked, request_timeout=_SECONDS).items()
    }


def co_partitions(settings: Settings) -> int:
    """Return the number of partitions that all co-partitioned topics have.

    Raises:
        BrokerError: a topic is missing, or the numbers differ.
    """
    found = metadata(settings).topics
    counts = {topic: len(found[topic].partitions) if topic in found else 0 for topic in CO_PARTITIONED}
    missing = [topic for topic, count in counts.items() if count == 0]
    if missing:
        partition_count(settings, missing[0])  # one that this user may not see is missing among all, not by name
        raise BrokerError(f"There is no topic {missing[0]}.", "run `headrace topics create`.")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{topic} {count}" for topic, count in counts.items())
        raise BrokerError(
            f"Topics that belong together differ in their number of partitions: {told}.",
            "make them again with one number; partition p must be the same users on all of them.",
        )
    return next(iter(counts.values()))


def _await_leaders(client: AdminClient, partitions: list[TopicPartition]) -> None:
    """Return when every partition tells its end: a broker knows of a topic before it leads it."""
    deadline = monotonic_seconds() + _SECONDS
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    while partitions:
        asked = client.list_offsets(dict.fromkeys(partitions, latest))
        partitions = [partition for partition, answer in asked.items() if answer.exception(_SECONDS) is not None]
        if partitions and monotonic_seconds() > deadline:
            raise BrokerError(
                f"Topic {partitions[0].topic} was made, and partition {partitions[0].partition} has no leader.",
                "read the broker's log.",
            )
        if partitions:
            sleep_seconds(0.05)
