"""One process that reads the whole clickstream, and tells what it cost: `python -m …loops KIND N`.

KIND is `state` (the worker's own loop and transform), `bare` (consume → produce in transactions as large, nothing
decoded), or `restore` (the worker's loop reads the state topic back). Processor time is that of the whole process,
librdkafka's threads included, from the first record on; start and imports are left out.
"""

import json
import sys
import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from streams.kafka import consumer, transactional_producer
from streams.ownership import Partitions
from streams.provision import co_partitions
from streams.settings import Settings, load_settings
from streams.state.transform import StateTransform
from streams.store import MemoryStore
from streams.topics import CLICKSTREAM, USER_ACTIONS
from streams.worker import spare_collections, worker_loop

_CALL_SECONDS = 30.0


def state(settings: Settings, count: int) -> dict[str, Any]:
    """Fold everything; return records, and processor and wall seconds."""
    loop = worker_loop("state", StateTransform(settings, co_partitions(settings)), settings)
    spare_collections()
    read = 0
    while read == 0:
        read = loop.turn()
        cpu, wall = time.process_time(), time.monotonic()  # the first batch is small, and left out
    first = read
    while read < count:
        read += loop.turn()
    found = {"records": read - first, "cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
    loop.close()
    return found


def bare(settings: Settings, count: int) -> dict[str, Any]:
    """Pass everything on as it is; return records, and processor and wall seconds."""
    group = f"{settings.kafka.group_prefix}.bare"
    reader: Consumer = consumer(settings, group, enable_partition_eof=False)
    client = transactional_producer(settings, group)
    client.init_transactions(_CALL_SECONDS)
    reader.subscribe([CLICKSTREAM])
    first = None
    while first is None:
        first = reader.poll(1.0)
    spare_collections()
    cpu, wall, read = time.process_time(), time.monotonic(), 1
    while read < count:
        messages = reader.consume(settings.loop.batch_records, 0.05)
        if not messages:
            continue
        client.begin_transaction()
        # As the worker does it: one call a batch, by partition number.
        waiting = [{"key": m.key(), "value": m.value(), "partition": m.partition()} for m in messages]
        client.produce_batch(USER_ACTIONS, waiting)
        offsets = {m.partition(): (m.offset() or 0) + 1 for m in messages}
        places = [TopicPartition(CLICKSTREAM, number or 0, offset) for number, offset in offsets.items()]
        client.send_offsets_to_transaction(places, reader.consumer_group_metadata(), _CALL_SECONDS)
        client.commit_transaction(_CALL_SECONDS)
        read += len(messages)
    found = {"records": read, "cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
    reader.close()
    return found


def restore(settings: Settings, count: int) -> dict[str, Any]:
    """Read the states back; return how many users there are, and processor and wall seconds."""
    store, partitions = MemoryStore(), Partitions()

    def changed(now: Partitions) -> None:
        nonlocal partitions
        partitions = now

    transform = StateTransform(settings, co_partitions(settings), store)
    loop = worker_loop("state", transform, settings, changed)
    spare_collections()
    cpu = wall = 0.0
    while len(partitions.active) < co_partitions_of(settings):
        loop.turn()
        if not cpu and partitions.restoring:
            cpu, wall = time.process_time(), time.monotonic()
    found = {"records": len(store), "cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
    loop.close()
    return found


def co_partitions_of(settings: Settings) -> int:
    """Return how many partitions there are, as the settings say it."""
    return settings.topics.partitions


def main(kind: str, count: int) -> None:
    """Run one kind and print what it found as JSON; the broker and the group are in the environment."""
    settings = load_settings()
    found = {"state": state, "bare": bare, "restore": restore}[kind](settings, count)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
