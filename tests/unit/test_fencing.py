"""Only the dead of one's own group are fenced, and nothing that goes wrong there reaches the worker."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams import fencing
from streams.settings import Settings, load_settings
from tests.unit.fake_kafka import FakeProducer

GROUP = "headrace.state"


@pytest.fixture
def settings() -> Settings:
    return load_settings()


class Broker:
    """What the broker knows of the group: who wrote beside the offsets, and who is a member."""

    def __init__(self, writers: list[str | None], members: list[str | None]) -> None:
        self._writers = writers
        self._members = members

    def list_consumer_group_offsets(self, asked: list[Any], **options: Any) -> dict[str, "Future[Any]"]:
        assert options["require_stable"] is False, "the dead have left some pending"
        return _answered([SimpleNamespace(metadata=writer) for writer in self._writers], "topic_partitions")

    def describe_consumer_groups(self, groups: list[str], **_: Any) -> dict[str, "Future[Any]"]:
        return _answered([SimpleNamespace(group_instance_id=member) for member in self._members], "members")


def _answered(value: Any, name: str) -> dict[str, "Future[Any]"]:
    future: Future[Any] = Future()
    future.set_result(SimpleNamespace(**{name: value}))
    return {GROUP: future}


def fenced(monkeypatch: pytest.MonkeyPatch, settings: Settings, broker: Broker, fails: bool = False) -> list[str]:
    found: list[str] = []

    def made(_: Settings, transactional_id: str) -> FakeProducer:
        found.append(transactional_id)
        client = FakeProducer(print)
        if fails:
            client.failures["init"] = [KafkaError(KafkaError._TIMED_OUT)]
        return client

    monkeypatch.setattr(fencing, "admin", lambda _: broker)
    monkeypatch.setattr(fencing, "transactional_producer", made)
    fencing._fence(settings, GROUP, [TopicPartition("clickstream.events.v1", 0)])
    return found


def test_a_writer_that_is_no_member_any_more_is_fenced_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    broker = Broker([f"{GROUP}.a", f"{GROUP}.a", f"{GROUP}.b", None, ""], [f"{GROUP}.b", None])
    assert fenced(monkeypatch, settings, broker) == [f"{GROUP}.a", f"{GROUP}.a#2"]


def test_nobody_outside_the_group_is_fenced_whatever_stands_beside_the_offsets(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    broker = Broker(["payments", "headrace.stateless.a", "a note of an operator"], [])
    assert fenced(monkeypatch, settings, broker) == []


def test_what_cannot_be_fenced_is_left_to_the_brokers_timeout(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert fenced(monkeypatch, settings, Broker([f"{GROUP}.a"], []), fails=True) == [f"{GROUP}.a"]

    def away(*_: Any) -> Any:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    monkeypatch.setattr(fencing, "admin", away)
    fencing._fence(settings, GROUP, [TopicPartition("clickstream.events.v1", 0)])
