"""Between the end of a recovery and the first batch: no record is passed that no agent has seen."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streams.feedback.app import feedback_app
from streams.settings import load_settings

PLACE = TP("user.actions.v1", 0)
CHANGELOG = TP("users-changelog", 0)
END = 200
SETTINGS = load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})


class Log:
    """One partition of a source, in the place of the broker and the fetching thread."""

    def __init__(self, committed: int | None) -> None:
        self.position = committed or 0
        self._committed = committed
        self._sought = asyncio.Event()

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        self._sought.set()
        if self._committed is not None:  # as aiokafka does
            self.position = self._committed
        await asyncio.sleep(0.02)  # the answer is on its way, and the thread fetches
        return {PLACE: self._committed}

    async def fetch(self, active: Any, timeout: float) -> dict[TP, list[Any]]:
        del timeout
        await self._sought.wait()  # a fetch is under way from before the source was let go
        await asyncio.sleep(0.001)
        if PLACE not in active:
            return {}
        found = range(self.position, min(self.position + 5, END))
        self.position = found.stop
        return {PLACE: [_record(offset) for offset in found]} if found else {}


def _record(offset: int) -> Any:
    return SimpleNamespace(
        topic=PLACE.topic,
        partition=PLACE.partition,
        offset=offset,
        timestamp=offset,
        timestamp_type=0,
        headers=(),
        key=b"k",
        value=b"v",
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=1,
    )


async def _seen_after_recovery(committed: int | None) -> list[tuple[int, int | None]]:
    """Return offset and `follows` of what an agent finds in its queue when a recovery has ended."""
    app = feedback_app(SETTINGS, 1, embedded=False)
    queue: Any = app.FlowControlQueue(maxsize=10_000, clear_on_resume=True)

    async def deliver(message: Any) -> None:
        await app.flow_control.acquire()
        queue.put_nowait(message)

    async def ignore(*_: Any) -> None: ...

    consumer: Any = app.transport.create_consumer(
        deliver, on_partitions_revoked=ignore, on_partitions_assigned=ignore
    )
    consumer._thread.thread_loop.close()  # it is never started, and so would never close it
    log, running = Log(committed), cast(Any, app)
    consumer.seek_to_committed, consumer._thread.getmany = log.seek_to_committed, log.fetch
    consumer.assignment, consumer.highwater = lambda: {PLACE, CHANGELOG}, lambda _: END
    consumer._is_changelog_tp = lambda tp: tp == CHANGELOG
    consumer._set_active_tps({CHANGELOG})
    running._consumer, running._fetcher.maybe_start = consumer, ignore
    recovery = running.tables.recovery
    recovery._is_changelog_tp = consumer._is_changelog_tp
    running.assignor.assigned_standbys = set
    # As it is while the tables are read again.
    running.rebalancing = True
    app.flow_control.resume()
    consumer.resume_flow()
    draining = asyncio.ensure_future(consumer._drain_messages(running._fetcher))
    await asyncio.sleep(0.01)
    await recovery.on_recovery_completed(0)
    async with asyncio.timeout(30):
        while consumer._read_offset[PLACE] != END - 1:
            await asyncio.sleep(0.001)
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    found = [queue.get_nowait() for _ in range(queue.qsize())]
    return [(message.offset, message.follows) for message in found]


@pytest.mark.parametrize("committed", [3, None])
def test_every_record_from_the_commit_on_reaches_the_agents_and_names_the_one_before_it(
    committed: int | None,
) -> None:
    offsets = range(committed or 0, END)
    want = list(zip(offsets, [None, *offsets], strict=False))
    assert asyncio.run(_seen_after_recovery(committed)) == want


async def _drained(callback: Any, channels: Any, then: Any) -> Any:
    """Drain records 11 to 13, with 10 read, while `then` happens; return the consumer."""
    app = feedback_app(SETTINGS, 1, embedded=False)

    async def ignore(*_: Any) -> None: ...

    async def records(timeout: float) -> Any:
        del timeout
        for offset in (11, 12, 13):
            yield PLACE, consumer._to_message(PLACE, _record(offset))
        await asyncio.Event().wait()

    consumer: Any = app.transport.create_consumer(
        callback, on_partitions_revoked=ignore, on_partitions_assigned=ignore
    )
    consumer._thread.thread_loop.close()  # it is never started, and so would never close it
    cast(Any, app)._consumer = consumer
    cast(Any, app.topics)._tp_index[PLACE] = channels
    consumer.getmany, consumer._read_offset[PLACE] = records, 10
    consumer.resume_flow()
    app.flow_control.resume()
    draining = asyncio.ensure_future(consumer._drain_messages(cast(Any, app)._fetcher))
    async with asyncio.timeout(30):
        await then(consumer)
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    return consumer


def test_a_record_that_a_rebalance_stopped_on_its_way_moves_no_position_that_a_seek_has_set() -> None:
    full = SimpleNamespace(queue=SimpleNamespace(full=lambda: True))

    async def waits(_: Any) -> None:
        await asyncio.Event().wait()

    async def seek(consumer: Any) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        consumer._read_offset[PLACE] = 3
        consumer.stop_flow()
        for _ in range(20):
            await asyncio.sleep(0)

    consumer = asyncio.run(_drained(waits, [full], seek))
    assert consumer._read_offset[PLACE] == 3


def test_a_full_queue_is_waited_for_and_the_order_stays() -> None:
    async def run() -> list[int]:
        queue: asyncio.Queue[Any] = asyncio.Queue(1)
        found: list[int] = []

        async def put(message: Any) -> None:
            await queue.put(message)

        async def take(consumer: Any) -> None:
            while len(found) < 3:
                found.append((await queue.get()).offset)
            while consumer._read_offset[PLACE] != 13:
                await asyncio.sleep(0)

        await _drained(put, [SimpleNamespace(queue=queue)], take)
        return found

    assert asyncio.run(run()) == [11, 12, 13]
