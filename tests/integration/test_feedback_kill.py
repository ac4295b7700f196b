"""The feedback worker under kill -9 on real Kafka: no example lost, none counted twice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoder.identity import encoder_id
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from tests.feedback_kill import survive
from tests.feedback_traffic import CONTEXTS, traffic
from tests.feedback_worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


@pytest.fixture
def settings(empty_kafka: str) -> Settings:
    made = load_settings(
        kafka={
            "bootstrap_servers": empty_kafka,
            "group_prefix": f"test-{time.time_ns()}",
            "session_timeout_seconds": 2,
        }
    )
    create_topics(made, encoder_id(made.encoder))
    return made


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[Worker]:
    started = Worker(settings, tmp_path)
    yield started
    started.stop()


def test_kill_9_loses_no_example_and_counts_none_twice(settings: Settings, worker: Worker) -> None:
    found = survive(settings, traffic(2_000, contexts=CONTEXTS), 3, worker)
    assert (found.lost, found.doubled, found.trends_wrong) == (0, 0, 0)
    assert found.kills == 3
    assert worker.stop() == 0, "SIGTERM leaves in order"
