"""One broker of real Apache Kafka (KRaft) from a folder of its jars; owns its ports, its data and its end."""

import base64
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 20.0
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
_BROKER = """\
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
{more}
"""
_APART = f"broker.session.timeout.ms={SESSION_SECONDS * 1000:.0f}\nbroker.heartbeat.interval.ms=500\n"
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
_FORGOTTEN = "these partitions are likely deleted already and hence can be skipped"


class KafkaNode:
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
        self._jars = jars
        self._directory = directory
        self._apart = controller_apart
        self._port, self._controller_port = _free_ports(2)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed_at = float("-inf")
        self.bootstrap_servers = f"127.0.0.1:{self._port}"
        (directory / "log4j2.properties").write_text(_LOGGING)
        more = "\n".join(f"{name}={value}" for name, value in (settings or {}).items())
        broker = _BROKER.format(port=self._port, more=more)
        inside, outside = f"CONTROLLER://127.0.0.1:{self._controller_port}", f"PLAINTEXT://127.0.0.1:{self._port}"
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if controller_apart:
            self._format(cluster, "controller", "controller", 2, inside, _APART)
            self._format(cluster, "kafka", "broker", 1, outside, broker + _APART)
        else:
            self._format(cluster, "kafka", "broker,controller", 1, f"{outside},{inside}", broker)

    def start(self) -> None:
        """Start, or start again on the same data; return when it answers.

        A broker whose controller is apart comes back no sooner than the controller has taken it for dead. One that
        is quicker still stands as the leader of everything: it goes to work, and is only then told that nobody
        leads until it has registered anew. It drops the markers of transactions that end in between; see
        `forgot_markers`. With both in one process this cannot be waited for: they come back together.
        """
        if self._apart:
            if "controller" not in self._running:
                self._launch("controller")
            time.sleep(max(0.0, self._killed_at + 1.2 * SESSION_SECONDS - time.monotonic()))
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
        if (process := self._running.get("kafka")) is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            self._killed_at = time.monotonic()

    def stop(self) -> None:
        """End it in order, the broker first; by force after a while."""
        for name in ("kafka", "controller"):
            process = self._running.pop(name, None)
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def forgot_markers(self) -> bool:
        """Whether the broker has left transactions without an end.

        Apache Kafka 4.4 takes partitions without a leader for deleted when it writes markers, and those of a
        single broker have none for a moment after it was killed. No client can tell whether such a transaction
        counts.
        """
        return _FORGOTTEN in self._log("kafka").read_text(errors="replace")

    def _format(self, cluster: str, name: str, roles: str, node: int, listeners: str, more: str) -> None:
        settings = self._directory / f"{name}.properties"
        both = _BOTH.format(
            roles=roles,
            node=node,
            voter=2 if self._apart else 1,
            controller=self._controller_port,
            listeners=listeners,
            data=self._directory / f"{name}-data",
        )
        settings.write_text(both + more)
        formatting = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(settings))
        subprocess.run(self._java("-XX:TieredStopAtLevel=1", *formatting), check=True, capture_output=True)

    def _launch(self, name: str) -> "subprocess.Popen[bytes]":
        heap = "-Xmx512m" if name == "kafka" else "-Xmx128m"
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


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
