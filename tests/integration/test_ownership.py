"""A worker that is told to end gives up what it restores before its group takes the partitions away."""

import time
from typing import Any

import pytest

from encoder.identity import encoder_id
from streams.embedded import EmbeddedBroker
from streams.kafka import producer
from streams.loop import Loop
from streams.provision import create_topics
from streams.restore import Restore
from streams.settings import load_settings
from streams.state.transform import StateTransform
from streams.topics import USER_STATE
from streams.worker import worker_loop

PARTITIONS = 4
SECONDS = 60.0


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
