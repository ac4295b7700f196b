"""What a worker says and does while it reads its state back: not ready, how much is left, and how it leaves."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from encoder.identity import encoder_id
from streams import restore
from streams.contracts import Event, EventType
from streams.embedded import EmbeddedBroker
from streams.kafka import producer
from streams.loop import Loop
from streams.partitioner import owner
from streams.provision import create_topics
from streams.restore import Restore
from streams.settings import load_settings
from streams.state.transform import StateTransform
from streams.topics import USER_STATE
from streams.worker import worker_loop
from workers.http import Health
from workers.processes import _run
from workers.publisher import Publisher
from workers.shutdown import Stop

PARTITIONS = 4
SECONDS = 60.0
GAUGES = ("restoring_partitions", "restore_left_records")


def told() -> tuple[float, float]:
    """Return partitions that are being restored and records left, as the metrics say."""
    restoring, left = (REGISTRY.get_sample_value(f"headrace_streams_{name}") or 0.0 for name in GAUGES)
    return restoring, left


def turn_until_it_reads(loop: Loop[Any], restores: list[Restore]) -> None:
    """Return when every partition is being read back."""
    deadline = time.monotonic() + SECONDS
    while sum(len(restore.partitions) for restore in restores if restore._reader is not None) < PARTITIONS:
        assert time.monotonic() < deadline, "no restore"
        loop.turn()


def test_a_worker_that_leaves_while_it_restores_leaves_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    restores: list[Restore] = []

    def never_done(restore: Restore) -> bool:
        if restore not in restores:
            restores.append(restore)
        return False

    monkeypatch.setattr(Restore, "_read", never_done)
    with EmbeddedBroker() as broker:
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers})
        create_topics(settings, encoder_id(settings.encoder))
        client = producer(settings)
        for partition in range(PARTITIONS):
            client.produce(USER_STATE, key=b"u", value=b"state", partition=partition)
        assert client.flush(SECONDS) == 0
        revoked: list[int] = []
        transform = StateTransform(settings, PARTITIONS)
        monkeypatch.setattr(transform, "revoked", revoked.extend)
        loop = worker_loop("state", transform, settings)
        turn_until_it_reads(loop, restores)
        loop.close()
    assert sorted(revoked) == list(range(PARTITIONS))
    assert told() == (0, 0), "what is not read here any more is not left here"


def test_a_partition_that_is_read_back_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedBroker() as broker:
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers})
        create_topics(settings, encoder_id(settings.encoder))
        transform = StateTransform(settings, PARTITIONS)
        loop = worker_loop("state", transform, settings)
        deadline = time.monotonic() + SECONDS

        def turn_until(holds: Callable[[], bool]) -> None:
            while not holds():
                assert time.monotonic() < deadline
                loop.turn()

        turn_until(lambda: len(loop._ownership.active) == PARTITIONS)
        monkeypatch.setattr(Restore, "_read", lambda _: False)  # there is always more to read
        users = {owner(f"u{number}".encode(), PARTITIONS): f"u{number}" for number in range(40)}
        loop._ownership._revoke([1])
        loop._ownership._assign([1])
        publisher = Publisher(settings)
        for user in users.values():
            publisher.event(
                Event(
                    event_id=f"e-{user}",
                    event_type=EventType.VIEW,
                    user_id=user,
                    item_id="i",
                    event_time=datetime(2026, 3, 2, tzinfo=UTC),
                )
            )
        assert publisher.flush() == PARTITIONS
        others = {user.encode() for partition, user in users.items() if partition != 1}
        turn_until(lambda: all(transform._store.get(owner(key, PARTITIONS), key) for key in others))
        assert loop._ownership.restoring
        assert transform._store.get(1, users[1].encode()) is None
        monkeypatch.undo()
        turn_until(lambda: transform._store.get(1, users[1].encode()) is not None)
        loop.close()


class Watched:
    """A request to end that comes when the worker is ready; notes what the worker said at each turn before.

    Attributes:
        said: conditions, partitions that are being restored, records left.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._deadline = time.monotonic() + SECONDS
        self.said: list[tuple[dict[str, bool], float, float]] = []

    @property
    def requested(self) -> bool:
        assert time.monotonic() < self._deadline, self.said[-1:]
        self.said.append((self._health.snapshot(), *told()))
        return self._health.ready


def test_a_worker_is_not_ready_until_its_state_was_read_back_and_tells_how_much_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restore, "_SLICE_RECORDS", 20)
    with EmbeddedBroker() as broker:
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers})
        create_topics(settings, encoder_id(settings.encoder))
        client = producer(settings)
        for number in range(400):
            key = f"u{number}".encode()
            client.produce(USER_STATE, key=key, value=b"state", partition=owner(key, PARTITIONS))
        assert client.flush(SECONDS) == 0
        transform, health = StateTransform(settings, PARTITIONS), Health()
        watched = Watched(health)
        _run("state", transform, settings, cast(Stop, watched), health)
    before = [(conditions, left) for conditions, restoring, left in watched.said if restoring]
    assert before
    assert all(conditions == {"assigned": True, "restored": False} for conditions, _ in before)
    lefts = [left for _, left in before if left]
    assert len(set(lefts)) > 3, "it went down while it was read"
    assert lefts == sorted(lefts, reverse=True)
    conditions, restoring, left = watched.said[-1]
    assert conditions == {"assigned": True, "restored": True}
    assert (restoring, left) == (0, 0)
