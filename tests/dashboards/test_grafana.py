"""The questions that `make compose-check` asks of Grafana, on a server that answers as Grafana documents it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.dashboards.boards import documents, panels
from tests.dashboards.compose import silent
from tests.dashboards.grafana import Grafana


class Answers(BaseHTTPRequestHandler):
    """Has every dashboard; answers queries with `result`."""

    result: dict[str, Any]
    hidden: set[str]

    def do_GET(self) -> None:
        if self.path == "/api/health":
            self._say({"database": "ok"})
        elif self.path.startswith("/api/search"):
            self._say([{"uid": uid} for uid in documents() if uid not in self.hidden])
        else:
            self._say({"dashboard": documents()[self.path.rpartition("/")[2]]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert not {"$topic", "$worker"} & set(asked["queries"][0]["expr"].split('"'))
        self._say({"results": {"A": self.result}}, 400 if "error" in self.result else 200)

    def _say(self, what: object, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(what).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def answers() -> type[Answers]:
    return type("_Answers", (Answers,), {"result": {"frames": []}, "hidden": set()})


@pytest.fixture
def grafana(answers: type[Answers]) -> Iterator[Grafana]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Grafana(f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_panel_with_a_finite_value_has_data(grafana: Grafana, answers: type[Answers]) -> None:
    assert grafana.healthy()
    answers.result = {"frames": [{"data": {"values": [[1, 2], [None, 0.5]]}}]}
    assert silent(grafana) == 0


def test_a_panel_without_series_or_without_a_finite_value_is_silent(
    grafana: Grafana, answers: type[Answers]
) -> None:
    assert silent(grafana) == len(panels())
    answers.result = {"frames": [{"data": {"values": [[1], [None]]}}]}
    assert silent(grafana) == len(panels())


def test_a_dashboard_that_grafana_did_not_read_is_told(
    grafana: Grafana, answers: type[Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    answers.result = {"frames": [{"data": {"values": [[1], [1.0]]}}]}
    answers.hidden = {"headrace-worker"}
    assert silent(grafana) == sum(panel.board == "headrace-worker" for panel in panels())
    assert "not in Grafana: headrace-worker" in capsys.readouterr().out


def test_a_query_that_is_refused_is_an_error(grafana: Grafana, answers: type[Answers]) -> None:
    answers.result = {"error": "parse error", "frames": []}
    with pytest.raises(RuntimeError, match="parse error"):
        grafana.values("sum(", 5, 5)
