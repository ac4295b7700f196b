"""Three brokers of real Apache Kafka and a controller of their own."""

import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Final

from streams.errors import BrokerError
from streams.kafka import metadata
from streams.settings import Settings, load_settings
from tests.integration.kafka_processes import APART, BROKER, CONTROLLER, KafkaProcesses, lines_of

BROKERS: Final = 3
START_SECONDS: Final = 120.0
_LEAST: Final = 2
"""In-sync replicas without which nothing is written."""


class KafkaCluster(KafkaProcesses):
    """A cluster that goes on without one of its brokers; each partition belongs on all of them.

    Args:
        jars: a folder with the jars of `org.apache.kafka:kafka_2.13` and its dependencies.
        directory: takes data and logs.
        settings: more of the brokers'.
    """

    def __init__(self, jars: Path, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(jars, directory, voter=BROKERS, brokers=BROKERS)
        self._format(CONTROLLER, "controller", BROKERS, self._inside, APART)
        more = lines_of({"min.insync.replicas": str(_LEAST), **(settings or {})})
        for number, port in enumerate(self._ports):
            broker = BROKER.format(port=port, replicas=BROKERS, least=_LEAST, more=more)
            self._format(f"kafka{number}", "broker", number, f"PLAINTEXT://127.0.0.1:{port}", broker + APART)
        self._turns = cycle(range(BROKERS))

    def start(self) -> None:
        """Start whatever does not run; return when all partitions are on all brokers.

        Raises:
            RuntimeError: that does not come to be.
        """
        self._launch_controller()
        for number in range(BROKERS):
            process = self._running.get(f"kafka{number}")
            if process is None or process.poll() is not None:
                self._launch(f"kafka{number}")
        asking = load_settings(kafka={"bootstrap_servers": self.bootstrap_servers})
        deadline = time.monotonic() + START_SECONDS
        while not _is_whole(asking):
            if time.monotonic() > deadline:
                logs = [self._log(f"kafka{number}").read_text()[-1_000:] for number in range(BROKERS)]
                self.stop()
                raise RuntimeError("\n".join(logs))
            time.sleep(0.5)

    def kill(self) -> None:
        """End a broker as a power cut would, each time another one."""
        self._kill(f"kafka{next(self._turns)}")


def _is_whole(settings: Settings) -> bool:
    with suppress(BrokerError):
        found = metadata(settings)
        partitions = [each for topic in found.topics.values() for each in topic.partitions.values()]
        return len(found.brokers) == BROKERS and all(len(each.isrs) == BROKERS for each in partitions)
    return False
