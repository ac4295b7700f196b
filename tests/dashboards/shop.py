"""A whole Headrace on a real Kafka: workers as processes, a small shop, a trained model. What is watched."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from encoder.identity import encoder_id
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.settings.variables import variable_of
from tests.dashboards.monitoring import Monitoring
from tests.dashboards.traffic import Traffic
from workers.cli.worker import Name
from workers.datasets.contract import Dataset
from workers.datasets.sample import load
from workers.demo.catalogue import load_catalogue
from workers.demo.processes import Processes
from workers.publisher import Publisher
from workers.train import train_and_announce

SECONDS = 180.0
TRAINING = {"epochs": 4, "width": 32}


class Workers(Processes):
    """Workers that can be stopped and started again on the same port."""

    def __enter__(self) -> "Workers":
        return self

    def address(self, name: str) -> str:
        """Return host:port of a worker's metrics."""
        return f"127.0.0.1:{self._children[name].port}"

    def stop(self, name: str) -> None:
        """End a worker in order; `check` is not to be called until it is back."""
        process = self._children[name].process
        process.terminate()
        process.wait(60)
        if process.stdin is not None:
            process.stdin.close()

    def again(self, name: str) -> None:
        """Start it again."""
        self._children[name].start()


class Shop:
    """Everything that runs."""

    def __init__(
        self, settings: Settings, workers: Workers, monitoring: Monitoring, traffic: Traffic, dataset: Dataset
    ) -> None:
        self.settings = settings
        self.workers = workers
        self.monitoring = monitoring
        self.traffic = traffic
        self.dataset = dataset


@contextmanager
def shop(broker: str, directory: Path) -> Iterator[Shop]:
    """Run everything, with traffic, until the `with` ends.

    Args:
        broker: a real Kafka without any topic of ours.
    """
    dataset = load()
    prefix = directory.name
    settings = load_settings(
        kafka={"bootstrap_servers": broker, "group_prefix": prefix},
        training={**TRAINING, "directory": str(directory / "models")},
    )
    encoder = encoder_id(settings.encoder)
    create_topics(settings, encoder)
    environment = {
        variable_of("kafka.bootstrap_servers"): broker,
        variable_of("kafka.group_prefix"): prefix,
        variable_of("loop.max_rejected_share"): "1",
        variable_of("feedback.window_seconds"): "20",
    }
    names = [name.value for name in Name if name.value in ("state", "embedding", "ranking", "feedback")]
    with Workers(directory, restart_workers=False) as workers:
        for name in names:
            workers.start_worker(name, environment)
        with Monitoring(directory, {name: workers.address(name) for name in names}) as monitoring:
            load_catalogue(settings, Publisher(settings), dataset.items, encoder, lambda _: workers.check())
            # The ranking worker has no model yet, and an alert is to say so.
            monitoring.until(
                lambda: "HeadraceWorkerNotReady" in monitoring.firing(),
                "a worker without model is noticed",
                SECONDS,
            )
            train_and_announce(settings, dataset.events[: len(dataset.events) // 2], lambda _: None)
            for name in names:
                workers.wait_ready(name, SECONDS)
            traffic = Traffic(settings, dataset)
            traffic.history()
            traffic.start()
            try:
                yield Shop(settings, workers, monitoring, traffic, dataset)
            finally:
                traffic.close()


@contextmanager
def a_directory() -> Iterator[Path]:
    """Yield a directory that goes with everything in it."""
    with tempfile.TemporaryDirectory(prefix="headrace-", ignore_cleanup_errors=True) as name:
        yield Path(name)
