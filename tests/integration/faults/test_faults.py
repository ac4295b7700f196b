"""Whatever dies: no event is lost, none is counted twice, and the dead letters are exactly the poison."""

import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoder.identity import encoder_id
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.topics import USER_STATE
from streams.worker import group_of
from tests.integration.conftest import JARS, SKIPPED
from tests.integration.faults import scenarios
from tests.integration.faults.fleet import Fleet, wait_until
from tests.integration.faults.log import length
from tests.integration.faults.scenarios import Stage
from tests.integration.faults.soak import QUICK, play_to_a_verdict
from tests.integration.faults.traffic import PARTITIONS
from tests.integration.kafka_node import KafkaNode
from workers.demo.topics import delete_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def jars() -> Path:
    """Return the folder with Kafka's jars."""
    if not (folder := os.environ.get(JARS)):
        pytest.skip(SKIPPED)
    return Path(folder)


@pytest.fixture(scope="module")
def node(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    """Yield a Kafka of our own."""
    kafka = KafkaNode(jars, tmp_path_factory.mktemp("kafka"), QUICK)
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture
def settings(node: KafkaNode, tmp_path: Path) -> Settings:
    made = load_settings(
        kafka={
            "bootstrap_servers": node.bootstrap_servers,
            "group_prefix": f"test-{tmp_path.name}",
            "session_timeout_seconds": 3,
            "transaction_timeout_seconds": 4,
        }
    )
    delete_topics(made, encoder_id(made.encoder))
    create_topics(made, encoder_id(made.encoder))
    return made


@pytest.fixture
def stage(settings: Settings, node: KafkaNode, tmp_path: Path) -> Iterator[Stage]:
    with Fleet(settings, tmp_path) as fleet:
        fleet.start("a")
        fleet.start("b")
        fleet.wait_ready("a", "b")
        yield Stage(settings, node, fleet, random.Random(1))


def assert_right(stage: Stage) -> None:
    verdict = stage.judged()
    assert verdict.equal, verdict
    assert verdict.events > 500


def test_nothing_is_lost_or_doubled_when_workers_die_in_the_middle_of_their_work(stage: Stage) -> None:
    stage.fill(1_000)
    for name in ("kill_idle", "kill_written", "kill_offsets", "kill_committed", "kill_while_restoring"):
        scenarios.ALL[name](stage)
    assert_right(stage)


def test_nothing_is_lost_or_doubled_when_workers_come_go_and_come_back_from_the_dead(stage: Stage) -> None:
    for name in ("terminate", "zombie", "add_and_remove"):
        scenarios.ALL[name](stage)
    assert_right(stage)


def test_nothing_is_lost_or_doubled_when_the_broker_or_the_producer_dies(jars: Path, tmp_path: Path) -> None:
    verdict = play_to_a_verdict(jars, tmp_path, seed=1, names=("kill_producer", "kill_broker"), rate=400)
    assert verdict.equal, verdict
    assert verdict.events > 500


@pytest.mark.parametrize("place", ["written", "offsets"])
def test_what_a_worker_left_open_is_ended_by_whoever_takes_over(stage: Stage, place: str) -> None:
    patient = {"HEADRACE_KAFKA__TRANSACTION_TIMEOUT_SECONDS": "300"}
    assert stage.fleet.stop("a") == 0
    with stage.load():
        stage.fleet.start("a", doom=place, **patient)
        stage.fleet.dies("a")
        del stage.fleet.processes["a"]
        wait_until(lambda: '"fenced"' in stage.fleet.said("b"), "b has ended it", stage.fleet.tails)
    assert_right(stage)


def test_what_a_worker_left_open_in_its_very_first_batch_is_ended_as_well(stage: Stage) -> None:
    stage.fill(500)
    with stage.load():
        stage.fleet.start("c", doom="first", HEADRACE_KAFKA__TRANSACTION_TIMEOUT_SECONDS="300")
        stage.fleet.dies("c")
        del stage.fleet.processes["c"]
        ended = f"{group_of('state', stage.settings)}.c"
        told = [f'"writer":"{ended}"', f'"writer": "{ended}"']
        wait_until(
            lambda: any(each in stage.fleet.said(name) for name in "ab" for each in told),
            "one of the others has ended it",
            stage.fleet.tails,
        )
    assert_right(stage)


def test_a_second_worker_with_the_same_name_takes_over_and_the_first_says_why_it_ends(stage: Stage) -> None:
    first = stage.fleet.processes["a"]
    with stage.load():
        stage.fleet.start("a")
        assert first.wait(60) == 4, stage.fleet.said("a")
        stage.fleet.wait_ready("a")
    assert "same instance name" in stage.fleet.said("a"), stage.fleet.said("a")
    assert_right(stage)
    assert stage.fleet.processes["a"].poll() is None
    stage.fleet.send("a", signal.SIGTERM)


def test_a_local_store_reads_back_its_tail_and_is_rebuilt_when_it_is_damaged(
    settings: Settings, node: KafkaNode, tmp_path: Path
) -> None:
    stores = tmp_path / "stores"
    environment = {"HEADRACE_STATE__STORE": "rocksdb", "HEADRACE_STATE__ROCKSDB__DIRECTORY": str(stores)}
    with Fleet(settings, tmp_path, environment) as fleet:
        stage = Stage(settings, node, fleet, random.Random(2))
        fleet.start("a")
        fleet.wait_ready("a")
        stage.fill(1_500)
        assert_right(stage)
        written = length(settings, USER_STATE)
        fleet.kill("a")
        fleet.start("a")
        fleet.wait_ready("a")
        assert restored(fleet)[-1] < written / 2
        with stage.load():
            fleet.kill("a")
            for damaged in stores.rglob("CURRENT"):
                damaged.write_bytes(b"junk")
            fleet.start("a")
            fleet.wait_ready("a")
        assert "local state dropped" in fleet.said("a")
        assert restored(fleet)[-1] > PARTITIONS
        assert_right(stage)


def restored(fleet: Fleet) -> list[int]:
    """Return how many records each restore of the worker `a` read."""
    lines = (json.loads(line) for line in fleet.said("a").splitlines() if line.startswith("{"))
    return [line["records"] for line in lines if line["event"] == "restored"]
