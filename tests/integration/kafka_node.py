"""One node of real Apache Kafka (KRaft) from a folder of its jars; owns its ports, its data and its end."""

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
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
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
        directory: takes data and log.
        settings: more of them, such as `{"log.retention.ms": "1000"}`.
    """

    def __init__(self, jars: Path, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self._jars = jars
        self._directory = directory
        self._port, self._controller = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap_servers = f"127.0.0.1:{self._port}"
        data = directory / "data"
        more = "\n".join(f"{name}={value}" for name, value in (settings or {}).items())
        (directory / "server.properties").write_text(
            _SETTINGS.format(port=self._port, controller=self._controller, data=data, more=more)
        )
        (directory / "log4j2.properties").write_text(_LOGGING)
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        formatting = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", self._settings]
        subprocess.run(self._java("-XX:TieredStopAtLevel=1", *formatting), check=True, capture_output=True)

    def start(self) -> None:
        """Start, or start again on the same data; return when it answers."""
        with (self._directory / "kafka.log").open("ab") as log:
            command = self._java("-Xmx512m", "-XX:+UseSerialGC", "kafka.Kafka", self._settings)
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError((self._directory / "kafka.log").read_text()[-2000:])

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """End it in order; by force after a while."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def forgot_markers(self) -> bool:
        """Whether the broker has left transactions without an end.

        Apache Kafka 4.4 skips the markers of partitions whose leader it does not know yet, which a single broker
        that has just been killed may be itself. No client can tell then whether such a transaction counts.
        """
        return _FORGOTTEN in (self._directory / "kafka.log").read_text(errors="replace")

    @property
    def _settings(self) -> str:
        return str(self._directory / "server.properties")

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
