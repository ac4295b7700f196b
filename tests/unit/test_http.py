"""`/livez`, `/readyz` and `/metrics` over a real server."""

import http.client
import json
from collections.abc import Iterator

import pytest

from streams.errors import SettingError
from streams.settings.kafka import HttpSettings
from workers.http import Health, HttpServer, serve


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def health(clock: Hands) -> Health:
    return Health(silent_after_seconds=10, clock=clock)


@pytest.fixture
def server(health: Health) -> Iterator[HttpServer]:
    with serve(HttpSettings(port=0), health) as running:
        yield running


def get(server: HttpServer, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_a_process_that_named_no_condition_is_not_ready(server: HttpServer) -> None:
    assert get(server, "/readyz")[0] == 503


def test_a_process_is_ready_when_every_condition_holds(server: HttpServer, health: Health) -> None:
    health.expect("assigned", "index")
    health.set("assigned", True)
    status, body = get(server, "/readyz")
    assert (status, json.loads(body)["conditions"]) == (503, {"assigned": True, "index": False})
    health.set("index", True)
    assert get(server, "/readyz")[0] == 200
    health.set("assigned", False)
    assert get(server, "/readyz")[0] == 503


def test_expecting_a_known_condition_keeps_its_value(health: Health) -> None:
    health.set("model", True)
    health.expect("model")
    assert health.snapshot() == {"model": True}


def test_a_silent_loop_is_not_alive(server: HttpServer, health: Health, clock: Hands) -> None:
    health.beat()
    clock.now = 10
    assert get(server, "/livez")[0] == 200
    clock.now = 10.1
    assert get(server, "/livez")[0] == 503
    health.beat()
    assert get(server, "/livez")[0] == 200


def test_a_loop_that_has_not_begun_is_alive(server: HttpServer, clock: Hands) -> None:
    clock.now = 1_000
    assert get(server, "/livez")[0] == 200


def test_metrics_are_prometheus_text(server: HttpServer) -> None:
    status, body = get(server, "/metrics")
    assert status == 200
    assert "# TYPE python_info gauge" in body


def test_a_taken_port_is_a_wrong_setting(server: HttpServer) -> None:
    with pytest.raises(SettingError, match=r"http\.port"):
        serve(HttpSettings(port=server.port), Health())


def test_a_host_that_is_no_address_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError, match=r"http\.host"):
        serve(HttpSettings(host="no.such.host.invalid", port=0), Health())


def test_a_closed_server_frees_its_port(health: Health) -> None:
    first = serve(HttpSettings(port=0), health)
    first.close()
    second = serve(HttpSettings(port=first.port), health)
    assert get(second, "/livez")[0] == 200
    second.close()
