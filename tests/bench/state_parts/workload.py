"""The workload of the state plane's figures: events of 300 bytes, users drawn by Zipf, put where Java would."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from confluent_kafka import KafkaError

from encoder.identity import encoder_id
from streams.kafka import producer
from streams.partitioner import owner
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.topics import CLICKSTREAM
from workers.demo.topics import delete_topics

PARTITIONS: Final = 4
EVENT_BYTES: Final = 300
USERS: Final = 100_000
_ITEMS: Final = 20_000
_KINDS: Final = ("view", "click", "add_to_cart", "purchase")
_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
_CHUNK: Final = 20_000


def fresh(bootstrap_servers: str, name: str, compression: str = "lz4") -> Settings:
    """Return settings of a group of its own, with empty topics; session timeout 6 s."""
    settings = load_settings(
        topics={"partitions": PARTITIONS},
        kafka={
            "bootstrap_servers": bootstrap_servers,
            "group_prefix": f"bench-{name}",
            "session_timeout_seconds": 6.0,
            "properties": {"compression.type": compression},
        },
    )
    delete_topics(settings, encoder_id(settings.encoder))
    create_topics(settings, encoder_id(settings.encoder))
    return settings


def zipf_users(count: int, users: int = USERS, seed: int = 1) -> Any:
    """Return int64 (count,): user numbers, the k-th of them drawn with a chance that goes with 1 / k."""
    chances = np.cumsum(1 / np.arange(1, users + 1))
    drawn = np.searchsorted(chances, np.random.default_rng(seed).random(count) * chances[-1])
    return np.minimum(drawn, users - 1)


def event(number: int, user: str, item: int, at: datetime | None = None) -> bytes:
    """Return the JSON of one event, padded to `EVENT_BYTES`."""
    when = (at or _START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    start = (
        f'{{"schema_version":1,"event_id":"{number:032x}","event_type":"{_KINDS[number % 4]}","user_id":"{user}",'
        f'"item_id":"item-{item}","event_time":"{when}","session_id":"s-{number // 20}","context":{{"page":"'
    )
    return f"{start:x<{EVENT_BYTES - 3}}".encode() + b'"}}'


def events(count: int, users: int = USERS) -> Iterator[tuple[int, bytes, bytes]]:
    """Return partition, key and value of each event."""
    homes: dict[int, tuple[int, bytes]] = {}
    items = np.random.default_rng(2).integers(0, _ITEMS, count)
    for number, (user, item) in enumerate(zip(zipf_users(count, users).tolist(), items.tolist(), strict=True)):
        home = homes.get(user)
        if home is None:
            key = f"user-{user}".encode()
            home = homes[user] = (owner(key, PARTITIONS), key)
        yield *home, event(number, home[1].decode(), item)


def fill(settings: Settings, count: int, users: int = USERS) -> None:
    """Put `count` events into the clickstream.

    Raises:
        RuntimeError: the broker did not take all of them.
    """
    client = producer(settings, linger_ms=20, queue_buffering_max_messages=1_000_000)
    chunk: list[dict[str, Any]] = []

    def send() -> None:
        waiting, rest = list(chunk), []
        while waiting:
            client.produce_batch(CLICKSTREAM, waiting)
            rest = [record for record in waiting if record.pop("_error", None)]
            client.poll(0.05 if rest else 0)
            waiting = rest
        chunk.clear()

    for partition, key, value in events(count, users):
        chunk.append({"partition": partition, "key": key, "value": value})
        if len(chunk) == _CHUNK:
            send()
    send()
    if client.flush(120):
        raise RuntimeError(str(KafkaError(KafkaError._TIMED_OUT)))
