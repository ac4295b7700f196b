"""The demo's child processes: the embedded broker and the workers, as separate processes as in production."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from streams.clock import monotonic_seconds, sleep_seconds
from streams.errors import Fatal

STOP_SECONDS = 4.0
"""From SIGTERM to SIGKILL."""
_QUICK_SECONDS = 10.0
_MOST_QUICK_DEATHS = 3
_LOG_LINES = 15


@dataclass
class _Child:
    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    port: int
    restarts: bool
    process: subprocess.Popen[bytes] = field(init=False)
    started_at: float = field(init=False)
    quick_deaths: int = 0

    def start(self) -> None:
        # The child stops when its standard input ends, so that it never outlives this process, even after
        # kill -9; in a session of its own it does not hear the terminal's Ctrl-C, which is for us to pass on.
        with self.log.open("ab") as log, self.log.with_suffix(".out").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", *self.command, "--stop-at-eof"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.started_at = monotonic_seconds()


class Processes:
    """Starts processes, notices when one dies, and stops all of them on exit, whatever the reason.

    Args:
        directory: takes one log a process.
        restart_workers: start a dead worker again instead of ending with an error.

    Attributes:
        restarts: workers that were started again.
    """

    def __init__(self, directory: Path, restart_workers: bool) -> None:
        self._directory = directory
        self._restart_workers = restart_workers
        self._children: dict[str, _Child] = {}
        self.restarts = 0

    def start_broker(self, seconds: float = 30.0) -> str:
        """Start `headrace broker` and return its `host:port`."""
        child = self._start("broker", ["broker"], {}, restarts=False)
        said = child.log.with_suffix(".out")
        self.wait_until(lambda: said.read_text().endswith("\n"), "the embedded broker runs", seconds)
        return said.read_text().split()[0]

    def start_worker(self, name: str, environment: Mapping[str, str]) -> None:
        """Start `headrace worker <name>` with an HTTP port of its own."""
        self._start(name, ["worker", name], environment, restarts=self._restart_workers)

    def url(self, name: str) -> str:
        """Return where a worker shows its metrics."""
        return f"http://127.0.0.1:{self._children[name].port}/metrics"

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self._children[name].log

    def get(self, name: str, path: str) -> str | None:
        """Return what a worker answers at `path`, or None when it does not answer with 200."""
        # http.client, because urllib would send this through the proxy of the environment.
        connection = http.client.HTTPConnection("127.0.0.1", self._children[name].port, timeout=2)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            text = response.read().decode()
            return text if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait_ready(self, name: str, seconds: float) -> None:
        """Return when a worker's `/readyz` says so; raises as `wait_until` does."""
        self.wait_until(lambda: self.get(name, "/readyz") is not None, f"the {name} worker is ready", seconds)

    def wait_until(self, condition: Callable[[], bool], meaning: str, seconds: float) -> None:
        """Return when `condition` holds; `meaning` says in words what is waited for.

        Raises:
            Fatal: it does not within `seconds`, or a process died.
        """
        deadline = monotonic_seconds() + seconds
        while not condition():
            self.check()
            if monotonic_seconds() > deadline:
                raise Fatal(
                    f"After {seconds:.0f} s it is still not so that {meaning}.",
                    f"read the logs in {self._directory}.",
                )
            sleep_seconds(0.05)

    def check(self) -> None:
        """Start dead workers again, or raise.

        Raises:
            Fatal: a process died and is not to be started again, or died three times within seconds.
        """
        for child in self._children.values():
            if (code := child.process.poll()) is None:
                continue
            lived_seconds = monotonic_seconds() - child.started_at
            child.quick_deaths = child.quick_deaths + 1 if lived_seconds < _QUICK_SECONDS else 0
            if not child.restarts or child.quick_deaths >= _MOST_QUICK_DEATHS:
                raise _died(child, code)
            child.start()
            self.restarts += 1

    def _start(self, name: str, command: list[str], environment: Mapping[str, str], restarts: bool) -> _Child:
        port = _free_port()
        own = {"HEADRACE_HTTP__HOST": "127.0.0.1", "HEADRACE_HTTP__PORT": str(port)}
        log = self._directory / f"{name}.log"
        child = _Child(name, command, {**environment, **own}, log, port, restarts)
        child.start()
        self._children[name] = child
        return child

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave some running
        try:
            self._stop()
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self) -> None:
        deadline = monotonic_seconds() + STOP_SECONDS
        # The broker goes last, so that the workers can commit.
        for child in reversed(self._children.values()):
            if child.name != "broker":
                child.process.terminate()
        for child in reversed(self._children.values()):
            if child.name == "broker":
                child.process.terminate()
            try:
                child.process.wait(max(0.0, deadline - monotonic_seconds()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if child.process.stdin is not None:
                child.process.stdin.close()


def _died(child: _Child, code: int) -> Fatal:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    lines = child.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    tail = "\n".join(f"    {line[:500]}" for line in lines)
    return Fatal(
        f"The {child.name} {'worker ' if child.name != 'broker' else ''}died ({how}).",
        f"read its log, {child.log}; it ends with\n{tail}",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
