"""One broker of real Apache Kafka (KRaft) from a folder of its jars; owns its ports, its data and its end."""

import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tests.integration.kafka_processes import APART, BROKER, CONTROLLER, KafkaProcesses, lines_of

START_SECONDS = 90.0
_FORGOTTEN = "these partitions are likely deleted already and hence can be skipped"


class KafkaNode(KafkaProcesses):
    """A broker on 127.0.0.1 with four partitions a topic.

    Args:
        jars: a folder with the jars of `org.apache.kafka:kafka_2.13` and its dependencies.
        directory: takes data and logs.
        settings: more of the broker's, such as `{"log.retention.ms": "1000"}`.
        controller_apart: the controller is a process of its own, which outlives a kill of the broker; see `start`.
    """

    def __init__(
        self,
        jars: Path,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        *,
        controller_apart: bool = False,
    ) -> None:
        super().__init__(jars, directory, voter=2 if controller_apart else 1)
        self._apart = controller_apart
        (self._port,) = self._ports
        broker = BROKER.format(port=self._port, replicas=1, least=1, more=lines_of(settings))
        outside = f"PLAINTEXT://127.0.0.1:{self._port}"
        if controller_apart:
            self._format(CONTROLLER, "controller", 2, self._inside, APART)
            self._format("kafka", "broker", 1, outside, broker + APART)
        else:
            self._format("kafka", "broker,controller", 1, f"{outside},{self._inside}", broker)

    def start(self) -> None:
        """Start, or start again on the same data; return when it answers.

        A broker whose controller is apart comes back no sooner than the controller has taken it for dead. With
        both in one process this cannot be waited for: they come back together.
        """
        if self._apart:
            self._launch_controller()
        process = self._launch("kafka")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(self._log("kafka").read_text()[-2000:])

    def kill(self) -> None:
        """End the broker as a power cut would."""
        if "kafka" in self._running:
            self._kill("kafka")

    @property
    def forgot_markers(self) -> bool:
        """Whether the broker has left transactions without an end.

        Apache Kafka 4.4 takes partitions without a leader for deleted when it writes markers, and those of a
        single broker have none for a moment after it was killed. No client can tell whether such a transaction
        counts.
        """
        return _FORGOTTEN in self._log("kafka").read_text(errors="replace")
