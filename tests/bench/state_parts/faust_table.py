"""The same job as a Faust table: agent, decoded events, the user's last 50 items; prints its processor time.

Settings are those that lost nothing and were the quickest (at least once, linger 20 ms); the state is a plain list
of tuples, less than what Headrace's fold keeps. Neither side compresses: aiokafka has no lz4 of its own, and
this spares Faust the work.
"""

import asyncio
import json
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any

import faust
import uvloop

from streams.codec import decode_event
from streams.settings import load_settings
from streams.topics import CLICKSTREAM

_HISTORY = 50


async def run(count: int, folder: str) -> dict[str, Any]:
    """Read `count` records into a table; return them, and processor and wall seconds from the first on.

    Args:
        folder: for what Faust leaves behind.
    """
    settings = load_settings()
    app = faust.App(
        f"{settings.kafka.group_prefix}.faust",
        broker=f"aiokafka://{settings.kafka.bootstrap_servers}",
        store="memory://",
        datadir=folder,
        topic_partitions=settings.topics.partitions,
        topic_replication_factor=1,
        processing_guarantee="at_least_once",
        producer_acks=-1,
        producer_linger=0.02,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=1.0,
        stream_wait_empty=True,
        web_enabled=False,
        topic_disable_leader=True,
    )
    raw: dict[str, Any] = {
        "key_type": bytes,
        "value_type": bytes,
        "key_serializer": "raw",
        "value_serializer": "raw",
    }
    table = app.Table("users", partitions=settings.topics.partitions, key_type=str, value_type=list)
    done = asyncio.Event()
    found: dict[str, Any] = {}

    async def fold(stream: Any) -> None:
        read, cpu, wall = 0, 0.0, 0.0
        async for value in stream:
            if read == 0:
                cpu, wall = time.process_time(), time.monotonic()
            event = decode_event(value)
            past = table.get(event.user_id) or []
            now = (event.item_id, event.event_time.timestamp(), event.event_type.code)
            table[event.user_id] = [*past[1 - _HISTORY :], now]
            read += 1
            if read == count:
                found.update(records=read, cpu=time.process_time() - cpu, wall=time.monotonic() - wall)
                done.set()

    app.agent(app.topic(CLICKSTREAM, **raw), name="fold", concurrency=1)(fold)
    await app.start()
    await done.wait()
    await app.stop()
    return found


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, TemporaryDirectory() as directory:
        print(json.dumps(runner.run(run(int(sys.argv[1]), directory))))
