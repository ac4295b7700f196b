"""Debian's Prometheus and Alertmanager on free ports of 127.0.0.1, and somebody who listens to their alerts."""

import http.client
import json
import math
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlencode

import yaml

from tests.dashboards import scaled
from workers.demo.processes import _free_port

PROGRAMS: Final = ("prometheus", "prometheus-alertmanager")
MISSING: Final = (
    "NO PROMETHEUS: install Debian's `prometheus` and `prometheus-alertmanager` "
    "to run the live test of the dashboards"
)
Series = list[tuple[dict[str, str], list[tuple[float, float]]]]
"""Labels, and (Unix time, value) in order, of each series."""


def installed() -> bool:
    """Return whether both programs are there."""
    return all(shutil.which(program) for program in PROGRAMS)


class Webhook:
    """Receives what Alertmanager sends, as a pager would.

    Attributes:
        heard: names of the alerts that were announced as firing.
    """

    def __init__(self) -> None:
        self.heard: set[str] = set()
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard.update(
                    alert["labels"]["alertname"] for alert in body["alerts"] if alert["status"] == "firing"
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Monitoring:
    """The running pair, with the committed configuration, shortened.

    Args:
        targets: worker -> host:port.
    """

    def __init__(self, directory: Path, targets: dict[str, str]) -> None:
        self.webhook = Webhook()
        self._directory = directory
        self.port, alertmanager_port = _free_port(), _free_port()
        address = f"127.0.0.1:{alertmanager_port}"
        rule_file = self._write("rules.yaml", scaled.rules())
        main = self._write("prometheus.yaml", scaled.prometheus(targets, address, rule_file))
        alerts = self._write("alertmanager.yaml", scaled.alertmanager(self.webhook.url))
        self._processes = [
            self._start(
                "prometheus-alertmanager",
                f"--config.file={alerts}",
                f"--storage.path={directory / 'alertmanager'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ),
            self._start(
                "prometheus",
                f"--config.file={main}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--query.lookback-delta=5s",
            ),
        ]

    def until(self, holds: Callable[[], bool], meaning: str, seconds: float = 60.0) -> None:
        """Wait until `holds`."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"after {seconds:g} s it is not so that {meaning}"
            for process in self._processes:
                assert process.poll() is None, self.logs()
            time.sleep(0.2)

    def ready(self) -> bool:
        try:
            return self._get("/-/ready")[0] == 200
        except OSError:
            return False

    def query(self, expr: str, at: float | None = None) -> Series:
        """Return the newest value of every series."""
        asked = {"query": expr} | ({} if at is None else {"time": f"{at:.3f}"})
        return [(found["metric"], [_point(found["value"])]) for found in self._api("query", asked)]

    def query_range(self, expr: str, start: float, end: float, step: float = 1.0) -> Series:
        """Return every series between two Unix times."""
        asked = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return [
            (found["metric"], [_point(value) for value in found["values"]])
            for found in self._api("query_range", asked)
        ]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}

    def logs(self) -> str:
        """Return the end of both logs."""
        return "\n".join((self._directory / f"{program}.log").read_text()[-1_500:] for program in PROGRAMS)

    def _api(self, path: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        status, body = self._get(f"/api/v1/{path}?{urlencode(asked)}")
        answer = json.loads(body)
        assert status == 200, (asked, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _write(self, name: str, content: dict[str, Any]) -> Path:
        path = self._directory / name
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._directory / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [program, "--log.level=warn", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> "Monitoring":
        self.until(self.ready, "Prometheus is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.webhook.close()


def _point(value: list[Any]) -> tuple[float, float]:
    return float(value[0]), float(value[1])


def finite(series: Series) -> list[float]:
    """Return every value that is a number."""
    return [value for _, points in series for _, value in points if math.isfinite(value)]
