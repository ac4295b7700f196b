"""A worker that comes or goes stops nobody else's partitions for longer than a second."""

import json
import time
from datetime import datetime

import pytest

from streams.codec import decode_user_state
from streams.contracts.users import TOPICS
from streams.topics import CLICKSTREAM, USER_STATE
from tests.integration.faults.fleet import Fleet
from tests.integration.faults.log import records
from tests.integration.faults.scenarios import Stage, let_come_and_go
from tests.integration.faults.test_faults import assert_right, jars, node, settings, stage

__all__ = ["jars", "node", "settings", "stage"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]
STEADY_SECONDS = 5.0
MOST_SECONDS = 1.0


def kept(fleet: Fleet, name: str, since: float) -> set[int]:
    """Return the partitions that a worker has had all the time since then, seconds since the epoch."""
    told = [json.loads(line) for line in fleet.said(name).splitlines() if line.startswith("{")]
    owned = [
        (datetime.fromisoformat(line["time"]).timestamp(), set(line["active"]))
        for line in told
        if line["event"] == "partitions"
    ]
    before = [active for at, active in owned if at < since]
    return set.intersection(before[-1], *(active for at, active in owned if at >= since))


def test_a_rebalance_never_stops_a_survivor_for_more_than_a_second(stage: Stage) -> None:
    with stage.load():
        time.sleep(STEADY_SECONDS)
        began = time.time()
        let_come_and_go(stage, "c")
        time.sleep(stage.settings.kafka.session_timeout_seconds + 2)  # until what it had is the others' again
        ended = time.time()
    stayed = kept(stage.fleet, "a", began) | kept(stage.fleet, "b", began)
    assert len(stayed) >= 2, stage.fleet.tails()
    waits: list[tuple[float, float]] = []
    for record in records(stage.settings, USER_STATE):
        if record.partition in stayed and record.value is not None:
            state = decode_user_state(record.value)
            if TOPICS[state.topic] == CLICKSTREAM:  # what was passed on may have waited elsewhere
                waits.append((record.timestamp_ms / 1000, (record.timestamp_ms - state.create_time_ms) / 1000))
    steady = max(wait for at, wait in waits if began - STEADY_SECONDS <= at < began)
    longest = max(wait for at, wait in waits if began <= at < ended)
    # What a busy machine adds, it adds before as well.
    assert longest <= MOST_SECONDS + steady, f"{longest:.2f} s, and {steady:.2f} s before"
    assert_right(stage)
