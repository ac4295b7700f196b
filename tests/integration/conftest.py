"""Brokers for the integration tests.

Real Kafka comes from `HEADRACE_TEST_KAFKA_BOOTSTRAP` (a broker that runs; Headrace's topics there are deleted),
or from `HEADRACE_TEST_KAFKA_JARS` (a folder of Kafka's jars; needs Java 17), or those tests are skipped.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoder.identity import encoder_id
from streams.embedded import EmbeddedBroker
from streams.settings import load_settings
from tests.integration.kafka_node import KafkaNode
from workers.demo.topics import delete_topics

BOOTSTRAP = "HEADRACE_TEST_KAFKA_BOOTSTRAP"
JARS = "HEADRACE_TEST_KAFKA_JARS"
SKIPPED = (
    f"NO REAL KAFKA: set {BOOTSTRAP}=host:port, or {JARS}=folder with the jars of "
    "org.apache.kafka:kafka_2.13:4.4.0 and Java 17, to run the tests that need it"
)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a real Kafka."""
    if address := os.environ.get(BOOTSTRAP):
        yield address
        return
    if not (jars := os.environ.get(JARS)):
        pytest.skip(SKIPPED)
    node = KafkaNode(Path(jars), tmp_path_factory.mktemp("kafka"))
    node.start()
    try:
        yield node.bootstrap_servers
    finally:
        node.stop()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the address of each kind of broker in turn, without any topic of ours."""
    if request.param == "kafka":
        yield request.getfixturevalue("empty_kafka")
    else:
        with EmbeddedBroker() as embedded:
            yield embedded.bootstrap_servers


@pytest.fixture
def empty_kafka(kafka: str) -> str:
    """Return the address of a real Kafka without any topic of ours."""
    settings = load_settings(kafka={"bootstrap_servers": kafka})
    delete_topics(settings, encoder_id(settings.encoder))
    return kafka
