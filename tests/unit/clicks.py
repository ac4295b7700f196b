"""Clicks of one user, and the state worker's transform that takes them without a broker."""

import json
from typing import Any

from streams.contracts import Output, Record, Rejected
from streams.partitioner import owner
from streams.settings import Settings
from streams.state.transform import StateTransform
from streams.topics import CLICKSTREAM, ERASURES

PARTITIONS = 4
HOME = owner(b"u1", PARTITIONS)
CREATED_MS = 1_716_000_000_000
NOW = 1_716_000_100.0


def made(settings: Settings) -> StateTransform:
    transform = StateTransform(settings, PARTITIONS, clock=lambda: NOW)
    transform.assigned(range(PARTITIONS))
    return transform


def record(offset: int = 0, *, topic: str = CLICKSTREAM, partition: int = HOME, **change: Any) -> Record:
    fields = {
        "event_id": f"e{offset}",
        "event_type": "view",
        "user_id": "u1",
        "item_id": f"i{offset}",
        "event_time": "2024-05-01T10:00:00Z",
        **change,
    }
    return Record(topic, partition, offset, CREATED_MS, b"u1", json.dumps(fields).encode())


def erasure(offset: int, user_id: str = "u1", partition: int = HOME) -> Record:
    request = {"erasure_id": f"x{offset}", "user_id": user_id, "requested_at": "2024-05-18T00:00:00Z"}
    return Record(ERASURES, partition, offset, CREATED_MS, user_id.encode(), json.dumps(request).encode())


def run(transform: StateTransform, *records: Record) -> list[Output]:
    decoded = [transform.decode(each) for each in records]
    return list(transform.handle([each for each in decoded if not isinstance(each, Rejected)]))
