"""A cluster of three brokers that loses one, and another one later."""

import random
from pathlib import Path

import pytest

from encoder.identity import encoder_id
from streams.provision import create_topics
from streams.settings import load_settings
from tests.integration.faults.fleet import Fleet
from tests.integration.faults.scenarios import Stage, kill_broker
from tests.integration.faults.test_faults import assert_right, jars
from tests.integration.kafka_cluster import BROKERS, KafkaCluster

__all__ = ["jars"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


def test_nothing_is_lost_or_doubled_when_the_brokers_of_a_cluster_die_in_turn(jars: Path, tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    cluster = KafkaCluster(jars, tmp_path / "kafka")
    cluster.start()
    try:
        settings = load_settings(
            topics={"replication_factor": BROKERS}, kafka={"bootstrap_servers": cluster.bootstrap_servers}
        )
        create_topics(settings, encoder_id(settings.encoder))
        with Fleet(settings, tmp_path) as fleet:
            stage = Stage(settings, cluster, fleet, random.Random(4))
            fleet.start("a")
            fleet.start("b")
            fleet.wait_ready("a", "b")
            for _ in range(BROKERS):
                kill_broker(stage)
            assert_right(stage)
    finally:
        cluster.stop()
