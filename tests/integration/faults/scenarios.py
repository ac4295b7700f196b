"""What is done to a fleet under load. Each function leaves two workers, `a` and `b`, running."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from confluent_kafka import KafkaException

from streams.errors import BrokerError
from streams.settings import Settings
from streams.topics import CLICKSTREAM
from tests.integration.faults import traffic
from tests.integration.faults.fleet import Fleet, wait_until
from tests.integration.faults.log import judge, length, wait_settled
from tests.integration.faults.reference import Verdict
from tests.integration.kafka_cluster import KafkaCluster
from tests.integration.kafka_node import KafkaNode

PLACES = ("written", "offsets", "committed")
"""Where a worker is killed in the middle of a batch; see `doomed.py`."""


@dataclass
class Stage:
    """What a scenario plays on."""

    settings: Settings
    node: KafkaNode | KafkaCluster
    fleet: Fleet
    draw: random.Random
    rate: float = 400.0

    @contextmanager
    def load(self, count: int = 1_000_000) -> Iterator["subprocess.Popen[bytes]"]:
        """Send records while the block runs; everything is at the broker when it ends."""
        producer = traffic.start(
            self.settings.kafka.bootstrap_servers, self.draw.randrange(1_000_000), self.rate, count
        )
        self.grows()
        try:
            yield producer
        finally:
            if producer.poll() is None:
                producer.send_signal(signal.SIGTERM)
                assert producer.wait(150) == 0, "the broker does not have every record"

    def fill(self, count: int) -> None:
        """Send about so many records."""
        before = length(self.settings, CLICKSTREAM)
        with self.load():
            wait_until(lambda: length(self.settings, CLICKSTREAM) - before >= count, f"{count} records are there")

    def grows(self) -> None:
        """Return when records come in."""
        seen: list[int] = []

        def more() -> bool:
            with suppress(KafkaException, BrokerError):  # a broker that has just started does not lead yet
                seen.append(length(self.settings, CLICKSTREAM))
            return len(seen) > 1 and seen[-1] > seen[0]

        wait_until(more, "records come in")

    def judged(self) -> Verdict:
        """Wait until everything is folded and hold it to the reference."""
        wait_settled(self.settings, self.fleet)
        return judge(self.settings)


def kill_idle(stage: Stage) -> None:
    """Kill a worker that has nothing to do, and start it again."""
    stage.fleet.kill("a")
    stage.fleet.start("a")
    stage.fleet.wait_ready("a")


def kill_in_a_batch(stage: Stage, place: str) -> None:
    """Kill a worker at a place in the middle of a batch, under load, and start it again."""
    stage.fleet.stop("a")
    with stage.load():
        stage.fleet.start("a", doom=place)
        assert stage.fleet.dies("a") == -signal.SIGKILL, stage.fleet.said("a")[-3_000:]
        stage.fleet.start("a")
        stage.fleet.wait_ready("a")


def kill_while_restoring(stage: Stage) -> None:
    """Kill a worker that reads its state back, under load, and start it again."""
    stage.fleet.stop("a")
    with stage.load():
        stage.fleet.start("a", doom="restoring")
        assert stage.fleet.dies("a") == -signal.SIGKILL, stage.fleet.said("a")[-3_000:]
        stage.fleet.start("a")
        stage.fleet.wait_ready("a")


def terminate(stage: Stage) -> None:
    """Ask a worker to end, under load, and start it again."""
    with stage.load():
        assert stage.fleet.stop("b") == 0, stage.fleet.said("b")[-3_000:]
        stage.fleet.start("b")
        stage.fleet.wait_ready("b")


def zombie(stage: Stage) -> None:
    """Stop a worker for longer than its session, under load; another has its partitions when it wakes."""
    with stage.load():
        stage.fleet.send("b", signal.SIGSTOP)
        time.sleep(stage.settings.kafka.session_timeout_seconds + 2)
        stage.fleet.send("b", signal.SIGCONT)
        time.sleep(1)
        stage.fleet.wait_ready("b")


def add_and_remove(stage: Stage) -> None:
    """Add a worker under load, and take it away again for good."""
    with stage.load():
        let_come_and_go(stage, "c")


def let_come_and_go(stage: Stage, name: str) -> None:
    """Add a worker and take it away again for good."""
    stage.fleet.start(name)
    stage.fleet.wait_ready(name)
    time.sleep(1)
    assert stage.fleet.stop(name) == 0, stage.fleet.said(name)[-3_000:]
    del stage.fleet.processes[name]


def kill_broker(stage: Stage) -> None:
    """Kill the broker under load and start it again on the same data."""
    with stage.load():
        stage.node.kill()
        time.sleep(1)
        stage.node.start()
        stage.grows()


def kill_producer(stage: Stage) -> None:
    """Kill the producer in mid-flight; what it got into the log counts, the rest does not."""
    stage.rate, rate = 3_000, stage.rate
    with stage.load() as producer:
        producer.kill()
        producer.wait()
    stage.rate = rate


def in_a_batch(place: str) -> Callable[[Stage], None]:
    """Return `kill_in_a_batch` at one place."""
    return lambda stage: kill_in_a_batch(stage, place)


ALL: dict[str, Callable[[Stage], None]] = {
    "kill_idle": kill_idle,
    **{f"kill_{place}": in_a_batch(place) for place in PLACES},
    "kill_while_restoring": kill_while_restoring,
    "terminate": terminate,
    "zombie": zombie,
    "add_and_remove": add_and_remove,
    "kill_broker": kill_broker,
    "kill_producer": kill_producer,
}
