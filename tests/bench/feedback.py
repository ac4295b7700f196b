"""`make bench-feedback`: what a message costs the feedback worker, and what kill -9 does to attribution.

On real Kafka, as the integration tests find it. `tests/bench/observability.py` takes these figures in.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from encoder.identity import encoder_id
from streams.contracts import Output
from streams.kafka import producer
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from tests.bench.report import Figure, save
from tests.feedback_kill import send, survive, wait_until
from tests.feedback_traffic import Said, records, traffic
from tests.feedback_worker import Worker
from tests.integration.conftest import BOOTSTRAP, JARS, SKIPPED
from tests.integration.kafka_node import KafkaNode
from workers.demo.topics import delete_topics

_CHUNK: Final = 1_000
_SESSION_SECONDS: Final = 2.0


class Size(NamedTuple):
    """How much is sent.

    Attributes:
        measured: actions of the throughput run, each with its slate: two messages; `warm` come
            before.
        killed: actions that go through while the worker is killed `kills` times.
    """

    warm: int
    measured: int
    killed: int
    kills: int


FULL: Final = Size(warm=1_000, measured=10_000, killed=20_000, kills=5)
SMOKE: Final = Size(warm=100, measured=500, killed=300, kills=1)


def figures(bootstrap_servers: str, size: Size = FULL) -> list[Figure]:
    """Return what was measured on this broker; Headrace's topics there are deleted before each part.

    Raises:
        AssertionError: the worker died, or did not get through in time; its log is in the message.
    """
    with tempfile.TemporaryDirectory() as directory:
        rate = _messages_per_cpu_second(_emptied(bootstrap_servers), size, Path(directory))
    settings = _emptied(bootstrap_servers)
    with tempfile.TemporaryDirectory() as directory, _running(settings, Path(directory)) as worker:
        survived = survive(settings, traffic(size.killed), size.kills, worker)
    return [
        Figure("feedback_messages_per_cpu_second", rate, "messages", ">= 5000"),
        Figure("attribution_actions", size.killed, "actions", ">= 20000"),
        Figure("attribution_kills", survived.kills, "kills -9"),
        Figure("attribution_lost", survived.lost, "outcomes and examples", "== 0"),
        Figure("attribution_doubled", survived.doubled, "outcomes and examples", "== 0"),
        Figure("trends_wrong", survived.trends_wrong, "items", "== 0"),
    ]


def _messages_per_cpu_second(settings: Settings, size: Size, directory: Path) -> float:
    """Return the messages that one second of the worker's processor time handles, its start left out."""
    said = traffic(size.warm + size.measured)
    with _running(settings, directory) as worker:
        client = producer(settings, **{"transactional.id": f"traffic-{settings.kafka.group_prefix}"})
        client.init_transactions(30)
        first = 2 * size.warm
        warm = _outputs(said[:first])
        send(client, warm)
        wait_until(lambda: _handled(worker) >= len(warm), worker)
        before_seconds, left = worker.cpu_seconds, len(warm)
        for start in range(first, len(said), _CHUNK):
            outputs = _outputs(said[start : start + _CHUNK])
            send(client, outputs)
            left += len(outputs)
        wait_until(lambda: _handled(worker) >= left, worker)
        return 2 * size.measured / (worker.cpu_seconds - before_seconds)


def _outputs(said: list[Said]) -> list[Output]:
    """Return the records of this traffic, its actions together as the state worker has them."""
    return list(records(said, len(said)))


def _handled(worker: Worker) -> float:
    found = worker.metrics()
    return sum(value for name, value in found.items() if name.startswith("headrace_feedback_messages_total{"))


@contextmanager
def _running(settings: Settings, directory: Path) -> Iterator[Worker]:
    worker = Worker(settings, directory)
    try:
        yield worker
    finally:
        worker.stop()


def _emptied(bootstrap_servers: str) -> Settings:
    settings = load_settings(
        kafka={
            "bootstrap_servers": bootstrap_servers,
            "group_prefix": f"bench-{time.time_ns()}",
            "session_timeout_seconds": _SESSION_SECONDS,
        }
    )
    delete_topics(settings, encoder_id(settings.encoder))
    create_topics(settings, encoder_id(settings.encoder))
    return settings


@contextmanager
def kafka() -> Iterator[str]:
    """Yield the address of a real Kafka, or end the process and say how to name one."""
    if address := os.environ.get(BOOTSTRAP):
        yield address
        return
    if not (jars := os.environ.get(JARS)):
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as directory:
        node = KafkaNode(Path(jars), Path(directory))
        node.start()
        try:
            yield node.bootstrap_servers
        finally:
            node.stop()


def main() -> None:
    """Measure and save; with `--smoke`, only show that a small run works."""
    smoke = "--smoke" in sys.argv
    with kafka() as address:
        found = figures(address, SMOKE if smoke else FULL)
    for figure in found:
        print(f"{figure.key}: {figure.value:g} {figure.unit}")
    if not smoke:
        print(save("feedback", found))


if __name__ == "__main__":
    main()
