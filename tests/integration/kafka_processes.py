"""Processes of real Apache Kafka (KRaft) from a folder of its jars: their settings, data, logs and end."""

import base64
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

STOP_SECONDS = 20.0
CONTROLLER = "controller"
SESSION_SECONDS = 5.0
"""After so long without a word a controller of its own takes a broker for dead; Kafka's default is 9 s."""
_BOTH = """\
process.roles={roles}
node.id={node}
controller.quorum.voters={voter}@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={listeners}
log.dirs={data}
"""
BROKER = """\
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={least}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={least}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
{more}
"""
APART = f"broker.session.timeout.ms={SESSION_SECONDS * 1000:.0f}\nbroker.heartbeat.interval.ms=500\n"
_LOGGING = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
logger.markers.name=kafka.coordinator.transaction.TransactionMarkerChannelManager
logger.markers.level=INFO
logger.markers2.name=org.apache.kafka.coordinator.transaction.TransactionMarkerChannelManager
logger.markers2.level=INFO
"""


class KafkaProcesses:
    """Brokers and their controller, all on 127.0.0.1.

    Args:
        jars: a folder with the jars of `org.apache.kafka:kafka_2.13` and its dependencies.
        directory: takes data and logs.
        voter: the controller's node id.
        brokers: how many there will be.
    """

    def __init__(self, jars: Path, directory: Path, voter: int, brokers: int = 1) -> None:
        self._jars = jars
        self._directory = directory
        self._voter = voter
        self._controller_port, *self._ports = _free_ports(1 + brokers)
        self._cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed_at = float("-inf")
        self.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        (directory / "log4j2.properties").write_text(_LOGGING)

    def stop(self) -> None:
        """End all in order, the controller last; by force after a while."""
        for name in sorted(self._running, key=lambda name: name == CONTROLLER):
            process = self._running.pop(name)
            if process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _kill(self, broker: str) -> None:
        """End a broker as a power cut would."""
        process = self._running[broker]
        process.kill()
        process.wait()
        self._killed_at = time.monotonic()

    def _launch_controller(self) -> None:
        """Have the controller run, and wait until it has taken a broker that was killed for dead.

        A broker that is back sooner still stands as the leader of everything: it goes to work, and is only then
        told that nobody leads until it has registered anew. It drops the markers of transactions that end in
        between; see `KafkaNode.forgot_markers`.
        """
        if CONTROLLER not in self._running:
            self._launch(CONTROLLER)
        time.sleep(max(0.0, self._killed_at + 1.2 * SESSION_SECONDS - time.monotonic()))

    @property
    def _inside(self) -> str:
        return f"CONTROLLER://127.0.0.1:{self._controller_port}"

    def _format(self, name: str, roles: str, node: int, listeners: str, more: str) -> None:
        settings = self._directory / f"{name}.properties"
        both = _BOTH.format(
            roles=roles,
            node=node,
            voter=self._voter,
            controller=self._controller_port,
            listeners=listeners,
            data=self._directory / f"{name}-data",
        )
        settings.write_text(both + more)
        formatting = (
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self._cluster}",
            "--config",
            str(settings),
        )
        subprocess.run(self._java("-XX:TieredStopAtLevel=1", *formatting), check=True, capture_output=True)

    def _launch(self, name: str) -> "subprocess.Popen[bytes]":
        heap = "-Xmx128m" if name == CONTROLLER else "-Xmx512m"
        command = self._java(heap, "-XX:+UseSerialGC", "kafka.Kafka", str(self._directory / f"{name}.properties"))
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running[name] = process
        return process

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _java(self, *arguments: str) -> list[str]:
        options = [argument for argument in arguments if argument.startswith("-X")]
        rest = [argument for argument in arguments if not argument.startswith("-X")]
        logging = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}"
        java = os.environ.get("JAVA_HOME")
        program = str(Path(java) / "bin" / "java") if java else "java"
        return [program, *options, logging, "-cp", f"{self._jars}/*", *rest]


def lines_of(settings: Mapping[str, str] | None) -> str:
    """Return settings as a file of properties has them."""
    return "\n".join(f"{name}={value}" for name, value in (settings or {}).items())


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
