"""State workers as real processes, each with a name of its own, to be hurt."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

from streams.settings import Settings

READY_SECONDS = 90.0
_WORKER = ("workers.cli", "worker", "state")


class Fleet:
    """Starts workers, hurts them, and ends all of them on exit.

    Args:
        directory: takes a log a worker.
        environment: settings of every worker.
    """

    def __init__(self, settings: Settings, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._ports: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            "HEADRACE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
            "HEADRACE_KAFKA__GROUP_PREFIX": settings.kafka.group_prefix,
            "HEADRACE_KAFKA__SESSION_TIMEOUT_SECONDS": str(settings.kafka.session_timeout_seconds),
            "HEADRACE_KAFKA__TRANSACTION_TIMEOUT_SECONDS": str(settings.kafka.transaction_timeout_seconds),
            **(environment or {}),
        }

    def start(self, name: str, *, doom: str = "", **environment: str) -> None:
        """Start the worker `name`, or start it again.

        Args:
            doom: where it dies by itself; see `doomed.py`.
        """
        self._ports[name] = _free_port()
        own = {"HEADRACE_INSTANCE": name, "HEADRACE_HTTP__PORT": str(self._ports[name])}
        program = ("tests.integration.faults.doomed", doom) if doom else _WORKER
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *program],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment, **own, **environment},
                start_new_session=True,
            )

    def tend(self) -> None:
        """Start workers again that have ended by themselves, as whatever runs them in earnest does."""
        for name, process in list(self.processes.items()):
            if process.poll() not in (None, 0):
                self.start(name)

    def log(self, name: str) -> Path:
        """Return where a worker writes."""
        return self._directory / f"{name}.log"

    def said(self, name: str) -> str:
        """Return what a worker wrote."""
        return self.log(name).read_text(errors="replace")

    def tails(self) -> str:
        """Return the last that every worker wrote."""
        return "\n".join(f"{name}: {self.said(name)[-3_000:]}" for name in self.processes)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal."""
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """End a worker as a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self, name: str) -> int:
        """Ask a worker to end and return its exit code."""
        self.send(name, signal.SIGTERM)
        return self.processes[name].wait(30)

    def dies(self, name: str, seconds: float = READY_SECONDS) -> int:
        """Wait for the end of a worker and return its exit code."""
        return self.processes[name].wait(seconds)

    def wait_ready(self, *names: str) -> None:
        """Return when these workers have their partitions and the state of them; tend them meanwhile."""

        def ready(name: str) -> bool:
            self.tend()
            return self._ready(name)

        for name in names:
            wait_until(partial(ready, name), f"worker {name} is ready", partial(self.said, name))

    def _ready(self, name: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[name], timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
        for process in self.processes.values():
            process.wait()


def wait_until(
    holds: Callable[[], bool],
    meaning: str,
    context: Callable[[], str] = str,
    seconds: float = READY_SECONDS,
    every_seconds: float = 0.1,
) -> None:
    """Return when `holds`; fail with `meaning` and the end of `context` otherwise."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s it is still not so that {meaning}\n{context()[-6000:]}")
        time.sleep(every_seconds)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
