"""Faust's consumer, mended.

It reads committed records only, and every record names the one before it: what gets lost on the way to an agent is
missed there. And it hands a fetch over as a whole, where Faust makes two tasks of every record.
"""

import asyncio
from typing import Any, ClassVar

import aiokafka
from aiokafka.errors import ConsumerStoppedError
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.transports import ConsumerT

_FETCH_BYTES = 64 * 1024
_TURN_RECORDS = 500
"""Records that are handed over before the agents get their turn."""


class _CommittedThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        made = super()._create_worker_consumer(transport)
        # Faust asks for uncommitted records unless it is exactly_once itself; the state worker's aborted
        # transactions are not to be seen here.
        made._isolation_level = "read_committed"
        # Answered with the first record, a fetch would be one for every event: a millisecond of this worker each.
        app: Any = self.app
        if wait_ms := int(app.gather_seconds * 1000):
            made._fetch_min_bytes, made._fetch_max_wait_ms = _FETCH_BYTES, wait_ms
        return made


class _CommittedConsumer(driver.Consumer):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._handed: dict[TP, int] = {}  # newest offset that went to the agents since the last seek

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Faust counts the record behind a gap as part of it. That record is then acknowledged twice, and a commit
        # gets no further than to it: one transaction of the state worker a second, however many are handled.
        await super()._add_gap(tp, offset_from, offset_to - 1)

    async def _drain_messages(self, fetcher: Any) -> None:
        # Faust's own, but for the hand-over: what can be put into a queue at once is.
        handed = 0
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                async for tp, message in self.getmany(timeout=1.0):
                    read = self._read_offset[tp]
                    if read is not None and message.offset < read:
                        continue
                    if read and message.offset - read > 1 and self.app.topics.acks_enabled_for(tp.topic):
                        await self._add_gap(tp, read + 1, message.offset)
                    if not await self._handed_over(tp, message):
                        break  # a seek follows, and what it says has been read must stand
                    self._read_offset[tp] = message.offset
                    if (handed := handed + 1) % _TURN_RECORDS == 0:
                        await asyncio.sleep(0)
        except (asyncio.CancelledError, ConsumerStoppedError):
            if not self.app.should_stop:
                raise

    async def _handed_over(self, tp: TP, message: Any) -> bool:
        """Give a record to its agent, and wait for room; False when the flow was stopped meanwhile."""
        topics: Any = self.app.topics
        queues = (channel.queue for channel in topics._tp_index.get(tp, ()))
        if (
            self.app.flow_control.is_active()
            and not topics._tp_to_callback_lock.locked()
            and not any(queue.full() for queue in queues)
        ):
            await self.callback(message)  # waits for nothing
            return True
        handing = asyncio.ensure_future(self.callback(message))
        await self.wait_first(handing, self.suspend_flow.wait())
        return handing.done()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave it to `streams.feedback.progress` to find what stands still."""

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:
        # Faust's set is the living one: a fetch that began in the recovery of the tables would bring records of
        # sources that were let go meanwhile. They are thrown away, and the seek to a commit brings them back only
        # where there is a commit.
        if active_partitions is not None and self.app.rebalancing:
            active_partitions = set(active_partitions)
        return await super()._getmany(active_partitions, timeout)

    async def perform_seek(self) -> None:
        """Seek to the commits; what comes next follows nothing."""
        await super().perform_seek()
        self._handed.clear()

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        """Return the record with `follows`: the offset before it, None right after a seek."""
        message = super()._to_message(tp, record)
        read = self._read_offset[tp]
        if read is None or record.offset >= read:  # what is older, the caller drops
            message.follows = self._handed.get(tp)  # type: ignore[attr-defined]
            self._handed[tp] = record.offset
        return message


class CommittedTransport(driver.Transport):
    """Faust's transport with this consumer."""

    Consumer: ClassVar[type[ConsumerT]] = _CommittedConsumer
