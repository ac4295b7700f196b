"""The agents' loop: what a stream holds is handled together, then acknowledged.

Not `take()`, which acknowledges a batch whose body raised: here nothing is acknowledged but what was handled, and
nothing is handled behind a record that was not. The handlers' states remember offsets: once they are ahead of a
record that was left out, it reads as a duplicate for ever.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from faust.types import EventT

from streams.contracts import Record
from streams.errors import Transient
from streams.feedback import metrics
from streams.feedback.taking import taken

MOST_BYTES = 256 * 1024
"""A batch takes no more records once it holds so many bytes: some thousands of actions, about a second's work."""

Failed = Callable[[BaseException], None]


class Handler(Protocol):
    """What one agent does with its records."""

    @property
    def sources(self) -> Sequence[str]:
        """Topics to read."""

    async def handle(self, records: Sequence[Record]) -> None:
        """Make what these records cause permanent, or raise."""

    def recovered(self, partitions: frozenset[int]) -> None:
        """Take the table as it is after a rebalance; `partitions` are all that are owned now."""


class Batching:
    """Feeds one handler.

    Args:
        most: records of one batch, at most.
        gather_seconds: pause after a batch, unless as many wait already: each batch costs the broker a dozen
            requests, and nobody waits for its results as they do for slates. No record is in hand meanwhile: in a
            pause before the batch its partition might go to another worker.
        failed: told of an exception that the handler did not expect, or of a record that got lost on the way here;
            nothing is handled afterwards, and nothing more acknowledged.

    Attributes:
        newest: (topic, partition) -> offset and CreateTime (milliseconds since the epoch) of the newest handled
            record.
    """

    def __init__(self, handler: Handler, most: int, gather_seconds: float, failed: Failed) -> None:
        self._handler = handler
        self._most = most
        self._gather_seconds = gather_seconds
        self._failed = failed
        self._waiting: list[EventT[Any]] = []
        self._arrived: dict[tuple[str, int], int] = {}
        self._broken = False
        self.newest: dict[tuple[str, int], tuple[int, int]] = {}

    async def agent(self, stream: Any) -> None:
        """Handle a stream for ever; the body of a Faust agent."""
        try:
            async for event in stream.noack().events():
                self._arrive(event)
                left_bytes = MOST_BYTES - _size(event)
                for more in taken(stream, self._most - 1) if left_bytes > 0 else ():
                    self._arrive(more)
                    left_bytes -= _size(more)
                    if left_bytes <= 0:
                        break
                await self._handle()
                if self._gather_seconds and stream.channel.queue.qsize() < self._most:
                    await asyncio.sleep(self._gather_seconds)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._failed(error)
            await asyncio.Event().wait()  # an agent that ends would be started again

    def _arrive(self, event: EventT[Any]) -> None:
        """Take an event that follows the one before it.

        Raises:
            Transient: it follows one that the consumer handed over and that did not arrive.
        """
        message: Any = event.message
        place = message.topic, message.partition
        before = self._arrived.get(place)
        if message.follows is not None and message.follows != before:
            raise Transient(
                f"{place[0]} {place[1]}: offset {message.offset} follows {message.follows}, but {before} came last"
            )
        self._arrived[place] = message.offset
        self._waiting.append(event)

    async def _handle(self) -> None:
        if self._broken:
            raise Transient("a batch before this one was not handled")
        events, self._waiting = self._waiting, []
        records = [_record(event) for event in events]
        # Until it is done: a batch that raised, or was cancelled half way, is in nobody's hands any more.
        self._broken = True
        await self._handler.handle(records)
        self._broken = False
        for event, record in zip(events, records, strict=True):
            event.ack()
            self.newest[record.topic, record.partition] = (record.offset, record.timestamp_ms)
        for topic, count in Counter(record.topic for record in records).items():
            metrics.MESSAGES.labels(topic).inc(count)


def _size(event: EventT[Any]) -> int:
    return len(event.message.value or b"")


def _record(event: EventT[Any]) -> Record:
    message = event.message
    headers: Any = message.headers or ()
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=int(message.timestamp * 1000),
        key=message.key,
        value=message.value,
        headers=tuple(headers.items()) if isinstance(headers, dict) else tuple(headers),
    )
