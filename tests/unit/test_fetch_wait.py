"""How long fetches wait: Kafka ends one when there are records, the embedded broker does not."""

import pytest

from streams import kafka
from streams.settings import Settings, load_settings


@pytest.fixture
def settings() -> Settings:
    return load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})


@pytest.mark.parametrize(("embedded", "wait_ms"), [(True, 10), (False, 100)])
def test_only_on_kafka_may_a_fetch_wait_long(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, embedded: bool, wait_ms: int
) -> None:
    monkeypatch.setitem(kafka._embedded, settings.kafka.bootstrap_servers, embedded)
    assert kafka.idle_fetch_wait_ms(settings) == wait_ms
