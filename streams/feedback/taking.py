"""Takes what waits in the queue of a Faust stream, without a turn of the event loop for every record.

Faust's own iterator gives the first record of a batch, and waits for it. These are the others: taken as that
iterator would, but for the calls of sensors that nobody reads.
"""

from collections.abc import Iterator
from typing import Any

from faust.types import EventT


def taken(stream: Any, most: int) -> Iterator[EventT[Any]]:
    """Yield at most `most` records that wait now; what an earlier assignment has left there is passed over."""
    app, queue = stream.app, stream.channel.queue
    unacked, generation = app.consumer.unacked, app.consumer_generation_id
    while most > 0 and not queue.empty():
        event = queue.get_nowait()
        message = event.message
        if app.flow_control.is_active() and message.generation_id == generation:
            message.tracked = True
            unacked.add(message)
            most -= 1
            yield event
