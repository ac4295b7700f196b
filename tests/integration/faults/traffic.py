"""A producer of everything that a clickstream can hold, as a process of its own that may be killed.

`python -m tests.integration.faults.traffic BOOTSTRAP SEED RATE COUNT` sends COUNT records, RATE a second; 0 is as
fast as it goes. Of what it sends, some are repeats, late, keyed by nobody or by somebody else, put into another
partition than Java's partitioner would, or poison of every kind.
"""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from confluent_kafka import Producer

from streams.codec import encode_json
from streams.contracts import Event, EventType
from streams.kafka import producer
from streams.partitioner import owner
from streams.settings import load_settings
from streams.topics import CLICKSTREAM
from tests.integration.poison import BAD

PARTITIONS = 4
_START = datetime(2024, 1, 1, tzinfo=UTC)
_KINDS = (EventType.VIEW, EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE)
_USERS = 120
_STRAYS = 20


class Sent(NamedTuple):
    """One record to send; no partition leaves it to the partitioner."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None


def records(seed: int) -> Iterator[Sent]:
    """Return records without end, the same ones for the same seed."""
    draw = random.Random(seed)
    recent: list[Sent] = []
    number = 0
    while True:
        number += 1
        chance = draw.random()
        if chance < 0.02 and recent:
            yield draw.choice(recent)  # a producer's retry: the same event id
            continue
        if chance < 0.04:
            yield Sent(b"bad-%d-%d" % (seed, number), draw.choice((*BAD, None)))
            continue
        stray = chance < 0.12
        user = f"s{draw.randrange(_STRAYS)}" if stray else f"u{int(_USERS * draw.random() ** 2)}"
        late = timedelta(seconds=draw.randrange(600) if draw.random() < 0.1 else 0)
        event = Event(
            event_id=f"{seed}-{number}",
            event_type=draw.choice(_KINDS),
            user_id=user,
            item_id=f"i{draw.randrange(500)}",
            event_time=_START + timedelta(seconds=number, milliseconds=seed % 1_000) - late,
        )
        sent = Sent(user.encode(), encode_json(event))
        if stray:
            sent = _led_astray(sent, draw)
        recent = [*recent[-50:], sent]
        yield sent


def _led_astray(sent: Sent, draw: random.Random) -> Sent:
    """Return the record as other producers would send it: users of these are never sent rightly."""
    match draw.randrange(3):
        case 0:
            return sent._replace(key=None, partition=draw.randrange(PARTITIONS))
        case 1:
            return sent._replace(key=b"somebody else")
        case _:
            home = owner(sent.key or b"", PARTITIONS)
            return sent._replace(partition=(home + draw.randrange(1, PARTITIONS)) % PARTITIONS)


def start(bootstrap_servers: str, seed: int, rate: float, count: int) -> "subprocess.Popen[bytes]":
    """Start this module as a process."""
    arguments = (bootstrap_servers, str(seed), str(rate), str(count))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.faults.traffic", *arguments], stdin=subprocess.DEVNULL
    )


def _send(client: Producer, record: Sent) -> None:
    partition = -1 if record.partition is None else record.partition
    while True:
        try:
            return client.produce(CLICKSTREAM, key=record.key, value=record.value, partition=partition)
        except BufferError:
            client.poll(0.1)


def main(bootstrap_servers: str, seed: int, rate: float, count: int) -> int:
    """Send, until the end or SIGTERM; return how many records the broker does not have."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    client = producer(settings, delivery_timeout_ms=120_000)
    began = time.monotonic()
    for sent, record in enumerate(records(seed)):
        if stopped.is_set() or sent >= count:
            break
        _send(client, record)
        client.poll(0)
        while rate and not stopped.is_set() and sent > (time.monotonic() - began) * rate:
            time.sleep(0.002)
    return client.flush(120)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
