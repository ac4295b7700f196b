"""Two things made of the same records."""

from collections.abc import Sequence

from streams.contracts import Record
from streams.feedback.batching import Handler


class InTurn:
    """Gives each batch to several handlers, one after the other.

    A crash between two of them repeats the batch. Those that had it know its records by their offsets.

    Args:
        handlers: the first reads every source; each gets the records of those that it names.
    """

    def __init__(self, *handlers: Handler) -> None:
        self._handlers = handlers
        self.sources = handlers[0].sources

    def recovered(self, partitions: frozenset[int]) -> None:
        """Have each take its table as it is after a rebalance."""
        for handler in self._handlers:
            handler.recovered(partitions)

    async def handle(self, records: Sequence[Record]) -> None:
        """Return when all have made permanent what the records cause; raises as they do."""
        for handler in self._handlers:
            await handler.handle([record for record in records if record.topic in handler.sources])
