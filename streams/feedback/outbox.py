"""Writes records to partitions by number through Faust's producer, many at once, and waits for the broker.

Faust's own `send` costs about as much CPU as all the rest of handling a record; aiokafka's batches cost a tenth.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import AppT

from streams.contracts import Output
from streams.errors import Transient


class Outbox:
    """The way out of the feedback app.

    Args:
        app: a started Faust app on the aiokafka driver.
    """

    def __init__(self, app: AppT) -> None:
        self._app = app

    async def deliver(self, outputs: Iterable[Output]) -> None:
        """Return when the broker has all of these; the records of one partition arrive in this order.

        Raises:
            Transient: one was not delivered. Others may have been.
        """
        # Faust's producer shows no batches; its aiokafka producer does.
        producer: Any = self._app.producer._ensure_producer()  # type: ignore[attr-defined]
        open_batches: dict[tuple[str, int], Any] = {}
        waiting = []
        try:
            for output in outputs:
                place = (output.topic, output.partition)
                batch = open_batches.get(place)
                if batch is None or not _appended(batch, output):
                    if batch is not None:
                        waiting.append(await _sent(producer, batch, place))
                    batch = open_batches[place] = producer.create_batch()
                    if not _appended(batch, output):
                        raise Transient(f"a record of {output.topic} is larger than a batch may be")
            for place, batch in open_batches.items():
                waiting.append(await _sent(producer, batch, place))
            await asyncio.gather(*waiting)
        except KafkaError as error:
            raise Transient(f"a record was not delivered: {error!r}") from error


async def _sent(producer: Any, batch: Any, place: tuple[str, int]) -> Any:
    batch.close()
    return await producer.send_batch(batch, place[0], partition=place[1])


def _appended(batch: Any, output: Output) -> bool:
    added = batch.append(
        timestamp=output.timestamp_ms or None,
        key=output.key,
        value=output.value,
        headers=[(name, value or b"") for name, value in output.headers],
    )
    return added is not None
