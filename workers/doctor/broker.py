"""The broker: does it answer, are our topics there, and are they made as `streams/topics.py` says?"""

from collections.abc import Iterator, Mapping
from typing import Final

from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

from encoder.identity import encoder_id
from streams.kafka import embedded_cluster
from streams.provision import CO_PARTITIONED, topic_configs
from streams.settings import Settings
from streams.topics import Topic, all_topics
from workers.doctor.findings import Finding, counted, ok, problem, warning

_LOSES_DATA: Final = "cleanup.policy"
"""The one setting that makes a topic lose what another part of Headrace relies on."""


def broker(settings: Settings, cluster: ClusterMetadata) -> Iterator[Finding]:
    """Look at the cluster as it describes itself."""
    where, brokers = settings.kafka.bootstrap_servers, len(cluster.brokers)
    if embedded_cluster(cluster):
        yield warning(
            "Broker",
            f"{where} is the embedded broker: the newest megabytes in memory, no transactions.",
            "use Apache Kafka for anything but a first look.",
        )
        return
    replicas = settings.topics.replication_factor
    if replicas > brokers:
        yield problem(
            "Broker",
            f"Setting topics.replication_factor is {replicas}, and the cluster has {counted(brokers, 'broker')}.",
            f"set HEADRACE_TOPICS__REPLICATION_FACTOR to {brokers} at most.",
        )
    elif replicas < 3 <= brokers:
        yield warning(
            "Broker",
            f"{brokers} brokers, and new topics get {replicas} replicas: a dead broker takes partitions along.",
            "set HEADRACE_TOPICS__REPLICATION_FACTOR to 3 before `headrace topics create`.",
        )
    else:
        yield ok("Broker", f"{where} answers: cluster {cluster.cluster_id}, {counted(brokers, 'broker')}.")


def topics(settings: Settings, cluster: ClusterMetadata) -> Iterator[Finding]:
    """Look at every topic of ours."""
    expected = all_topics(encoder_id(settings.encoder))
    found = {topic.name: cluster.topics[topic.name] for topic in expected if topic.name in cluster.topics}
    if embedded_cluster(cluster):
        yield ok(
            "Topics",
            f"{len(found)} of {len(expected)} topics were used so far; "
            "the embedded broker makes a topic when it is first used.",
        )
        return
    missing = [topic.name for topic in expected if topic.name not in found]
    if missing:
        yield problem(
            "Topics",
            f"{len(missing)} of {len(expected)} topics are missing: {_some(missing)}.",
            "run `headrace topics create`.",
        )
    yield from _leaders(found)
    yield from _partitions(settings, found)
    there = [topic for topic in expected if topic.name in found]
    differing = list(_configs(there, topic_configs(settings, list(found)))) if found else []
    yield from differing
    if found and not missing and not differing:
        yield ok("Topics", f"All {len(expected)} topics are there, as they should be.")


def _leaders(found: Mapping[str, TopicMetadata]) -> Iterator[Finding]:
    headless = [
        f"{name}/{number}"
        for name, topic in found.items()
        for number, partition in topic.partitions.items()
        if partition.leader < 0
    ]
    behind = [
        f"{name}/{number}"
        for name, topic in found.items()
        for number, partition in topic.partitions.items()
        if partition.leader >= 0 and len(partition.isrs) < len(partition.replicas)
    ]
    if headless:
        yield problem(
            "Topics",
            f"{len(headless)} partitions have no leader: {_some(headless)}.",
            "start the brokers that are down.",
        )
    if behind:
        yield warning(
            "Topics",
            f"{len(behind)} partitions have replicas that are behind: {_some(behind)}.",
            "look for a broker that is down or slow.",
        )


def _partitions(settings: Settings, found: Mapping[str, TopicMetadata]) -> Iterator[Finding]:
    counts = {name: len(found[name].partitions) for name in CO_PARTITIONED if name in found}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield problem(
            "Partitions",
            f"Topics that belong together differ in their number of partitions: {told}.",
            "make them again with one number; partition p must be the same users on all of them.",
        )
    elif counts:
        count = next(iter(counts.values()))
        if count != settings.topics.partitions:
            yield warning(
                "Partitions",
                f"Topics have {count} partitions, and setting topics.partitions is {settings.topics.partitions}.",
                f"set HEADRACE_TOPICS__PARTITIONS={count}, so that topics of later versions get as many.",
            )
        else:
            yield ok("Partitions", f"{count} of every topic whose partitions belong together.")


def _configs(expected: list[Topic], found: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    for topic in expected:
        wrong = {
            name: (found[topic.name].get(name), value)
            for name, value in topic.config.items()
            if _normal(found[topic.name].get(name)) != _normal(value)
        }
        if not wrong:
            continue
        said = "; ".join(f"{name} is {has}, not {wanted}" for name, (has, wanted) in sorted(wrong.items()))
        change = ",".join(
            f"{name}=[{wanted}]" if "," in wanted else f"{name}={wanted}"
            for name, (_, wanted) in sorted(wrong.items())
        )
        made = problem if _LOSES_DATA in wrong else warning
        yield made(
            "Topics",
            f"{topic.name}: {said}.",
            f"`kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {change}`, "
            "if it is not so on purpose.",
        )


def _normal(value: str | None) -> str:
    return ",".join(sorted((value or "").split(",")))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
