"""A worker that may not do what it has to ends with a sentence that says so; on a Kafka with an authorizer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from encoder.identity import encoder_id
from streams.kafka import admin
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.topics import CLICKSTREAM, USER_STATE
from streams.worker import group_of, identity
from tests.integration.conftest import JARS, SKIPPED
from tests.integration.kafka_node import KafkaNode

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
_BROKER_ERROR = 4


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Yield settings of a broker on which everything is permitted that is not denied."""
    if not (jars := os.environ.get(JARS)):
        pytest.skip(SKIPPED)
    node = KafkaNode(Path(jars), tmp_path_factory.mktemp("kafka"), _AUTHORIZER)
    node.start()
    made = load_settings(kafka={"bootstrap_servers": node.bootstrap_servers}, instance="a")
    create_topics(made, encoder_id(made.encoder))
    yield made
    node.stop()


@pytest.mark.parametrize(
    ("kind", "name", "operation"),
    [
        (ResourceType.TOPIC, CLICKSTREAM, AclOperation.READ),
        (ResourceType.TOPIC, USER_STATE, AclOperation.DESCRIBE),
        (ResourceType.GROUP, group_of("state", load_settings()), AclOperation.READ),
        (ResourceType.TRANSACTIONAL_ID, identity("state", load_settings(instance="a")), AclOperation.WRITE),
    ],
    ids=["topic", "changelog", "group", "transactional id"],
)
def test_a_state_worker_that_lacks_a_permission_says_which(
    settings: Settings, kind: ResourceType, name: str, operation: AclOperation
) -> None:
    denied = AclBinding(
        kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, AclPermissionType.DENY
    )
    client = admin(settings)
    client.create_acls([denied])[denied].result(30)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "workers.cli", "worker", "state"],
            env={
                **os.environ,
                "HEADRACE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
                "HEADRACE_INSTANCE": "a",
                "HEADRACE_HTTP__PORT": "0",
            },
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    finally:
        everything = AclBindingFilter(
            kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", AclOperation.ANY, AclPermissionType.ANY
        )
        (gone,) = client.delete_acls([everything]).values()
        gone.result(30)
    assert done.returncode == _BROKER_ERROR, done.stderr
    assert "does not permit this user what it needs" in done.stderr
    assert "authorization failed" in done.stderr
    assert "Traceback" not in done.stderr
