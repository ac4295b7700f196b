"""`headrace worker feedback` in a process of its own, as the tests start, kill and ask it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from streams.settings import Settings
from streams.settings.variables import variable_of
from tests.feedback_traffic import SETTINGS


class Worker:
    """`headrace worker feedback` in a process of its own, started as often as it is killed."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._log = directory / "feedback.log"
        values = {
            "kafka.bootstrap_servers": settings.kafka.bootstrap_servers,
            "kafka.group_prefix": settings.kafka.group_prefix,
            "kafka.session_timeout_seconds": settings.kafka.session_timeout_seconds,
            "feedback.window_seconds": SETTINGS.window_seconds,
            "feedback.open_slates": SETTINGS.open_slates,
            "http.port": 0,
        }
        self._environment = os.environ | {variable_of(name): str(value) for name, value in values.items()}
        self.process = self._started()

    def restart(self) -> None:
        """Kill it as a power cut would, and start it again."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = self._started()

    def stop(self) -> int:
        """Ask it to end and return its exit code; kill it when it does not listen."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def metrics(self) -> dict[str, float]:
        """Return what it measures now: name with labels -> value; nothing while it does not answer."""
        started = [line for line in self.log.splitlines() if '"event": "started"' in line]
        if not started:
            return {}
        connection = http.client.HTTPConnection("127.0.0.1", json.loads(started[-1])["port"], timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        except OSError:
            return {}
        finally:
            connection.close()
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("headrace_"))
        return {name: float(value) for name, _, value in lines}

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of its present life."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def log(self) -> str:
        """Return what it wrote, all lives together."""
        return self._log.read_text(errors="replace")

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "workers.cli", "worker", "feedback"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
