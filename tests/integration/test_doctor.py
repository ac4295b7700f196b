"""The doctor on a real Kafka: what is missing, what differs, what is announced and cannot be loaded."""

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from encoder.identity import encoder_id
from streams.clock import sleep_seconds
from streams.codec import encode_json
from streams.contracts import ModelAlias, ModelVersion
from streams.kafka import admin, metadata, producer
from streams.partitioner import owner
from streams.privacy.retention import kept_longer
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.topics import CLICKSTREAM, MODELS, RECEIPTS, REKEYED, USER_STATE
from workers.doctor import broker, models
from workers.doctor.findings import Finding, Status, examined
from workers.doctor.placement import placement

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(empty_kafka: str) -> Settings:
    return load_settings(kafka={"bootstrap_servers": empty_kafka})


def seen(settings: Settings) -> list[Finding]:
    cluster = metadata(settings)
    return [
        *examined("Broker", broker.broker, settings, cluster),
        *examined("Topics", broker.topics, settings, cluster),
        *examined("Partitions", placement, settings, cluster),
    ]


def unwell(settings: Settings) -> list[Finding]:
    return [finding for finding in seen(settings) if finding.status is not Status.OK]


def test_topics_that_are_missing_are_a_problem_until_they_are_made(settings: Settings) -> None:
    (missing,) = unwell(settings)
    assert missing.status is Status.PROBLEM
    assert "headrace topics create" in missing.action
    create_topics(settings, encoder_id(settings.encoder))
    assert unwell(settings) == []
    assert {finding.check for finding in seen(settings)} == {"Broker", "Topics", "Partitions"}


def test_a_changelog_that_is_not_compacted_is_a_problem_and_the_command_mends_it(settings: Settings) -> None:
    create_topics(settings, encoder_id(settings.encoder))
    _alter(settings, USER_STATE, "cleanup.policy", "delete")
    (found,) = unwell(settings)
    assert found.status is Status.PROBLEM
    assert USER_STATE in found.said
    assert f"--entity-name {USER_STATE} --add-config cleanup.policy=compact" in found.action
    _alter(settings, USER_STATE, "cleanup.policy", "compact")
    assert unwell(settings) == []


def test_partition_counts_that_differ_are_a_problem_and_other_than_set_a_warning(settings: Settings) -> None:
    client = admin(settings)
    for done in client.create_topics([NewTopic(REKEYED, 3, 1)]).values():
        done.result(30)
    while REKEYED not in metadata(settings).topics:
        sleep_seconds(0.1)
    create_topics(settings, encoder_id(settings.encoder))
    found = {finding.check: finding for finding in unwell(settings)}
    assert found["Partitions"].status is Status.PROBLEM
    assert f"{REKEYED} 3" in found["Partitions"].said


def test_a_topic_that_keeps_longer_than_a_receipt_says_is_told_of(settings: Settings) -> None:
    create_topics(settings, encoder_id(settings.encoder))
    assert kept_longer(settings) == []
    week = 7 * 24 * 3_600_000
    for topic, retention_ms in ((CLICKSTREAM, 2 * week), (REKEYED, week // 2), (RECEIPTS, -1)):
        _alter(settings, topic, "retention.ms", str(retention_ms))
    found = {each.topic: (each.said.days, each.kept) for each in kept_longer(settings)}
    assert found == {CLICKSTREAM: (7, timedelta(days=14)), RECEIPTS: (90, None)}


@pytest.mark.parametrize("share", [1, 2])
def test_users_whose_events_go_to_another_partition_since_are_a_problem(settings: Settings, share: int) -> None:
    create_topics(settings, encoder_id(settings.encoder))
    client, before = producer(settings), settings.topics.partitions // share
    for number in range(200):
        key = f"u{number}".encode()
        client.produce(USER_STATE, key=key, value=b"state", partition=owner(key, before))
    assert client.flush(30) == 0
    found = unwell(settings)
    assert [finding.status for finding in found] == [Status.PROBLEM] * (share - 1)
    assert all("have got more partitions since" in finding.said for finding in found)


def test_a_cluster_too_small_for_the_replicas_is_a_problem(settings: Settings) -> None:
    create_topics(settings, encoder_id(settings.encoder))
    wanting = load_settings(
        kafka={"bootstrap_servers": settings.kafka.bootstrap_servers},
        topics={"replication_factor": 3, "partitions": 8},
    )
    found = {finding.check: finding for finding in unwell(wanting)}
    assert found["Broker"].status is Status.PROBLEM
    assert found["Partitions"].status is Status.WARNING


def test_a_model_that_is_not_there_or_cannot_be_loaded_is_told(settings: Settings) -> None:
    create_topics(settings, encoder_id(settings.encoder))
    (none,) = examined("Model", models.ranking_model, settings)
    assert none.status is Status.WARNING
    assert "headrace train" in none.action
    name = settings.ranking.model_name
    version = ModelVersion(
        name=name,
        version="gone",
        uri="file:///nowhere/at/all",
        sha256="0" * 64,
        encoder_id=encoder_id(settings.encoder),
        created_at=datetime.now(UTC),
        metrics={},
    )
    client = producer(settings)
    client.produce(MODELS, key=f"{name}/gone", value=encode_json(version))
    client.produce(
        MODELS,
        key=f"{name}@champion",
        value=encode_json(ModelAlias(name=name, alias="champion", version="gone")),
    )
    client.flush(30)
    (gone,) = examined("Model", models.ranking_model, settings)
    assert gone.status is Status.PROBLEM
    assert "/nowhere/at/all" in gone.said


def _alter(settings: Settings, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = admin(settings)  # held: its calls end with it
    for done in client.incremental_alter_configs([resource]).values():
        done.result(30)
