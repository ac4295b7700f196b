"""A broker that goes away and comes back while nothing is asked of it."""

import random
from pathlib import Path

import pytest

from encoder.identity import encoder_id
from streams.provision import create_topics
from streams.settings import load_settings
from tests.integration.faults.fleet import Fleet
from tests.integration.faults.scenarios import Stage
from tests.integration.faults.soak import QUICK
from tests.integration.faults.test_faults import assert_right, jars
from tests.integration.kafka_node import KafkaNode

__all__ = ["jars"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]
EVENTS = 600


def test_a_worker_that_was_idle_while_its_broker_was_away_folds_the_first_batch_it_gets(
    jars: Path, tmp_path: Path
) -> None:
    (tmp_path / "kafka").mkdir()
    node = KafkaNode(jars, tmp_path / "kafka", QUICK, controller_apart=True)
    node.start()
    try:
        settings = load_settings(
            kafka={"bootstrap_servers": node.bootstrap_servers, "session_timeout_seconds": 3}, instance="test"
        )
        create_topics(settings, encoder_id(settings.encoder))
        with Fleet(settings, tmp_path) as fleet:
            stage = Stage(settings, node, fleet, random.Random(3))
            fleet.start("a")
            fleet.wait_ready("a")
            stage.fill(EVENTS)
            stage.judged()
            node.kill()
            node.start()
            fleet.wait_ready("a")
            with stage.load():
                stage.grows()
            assert_right(stage)
            said = fleet.said("a")
    finally:
        node.stop()
    assert "has not come back" not in said, said[-3_000:]
    assert "batch undone" not in said, said[-3_000:]
    assert "brokers are down" in said, said[-3_000:]
