"""Several things made of the same records."""

from collections.abc import Sequence
from typing import Protocol

from streams.contracts import Record
from streams.feedback import metrics
from streams.feedback.decoding import Heard, heard


class Part(Protocol):
    """One of them."""

    async def handle(self, batch: Sequence[Heard]) -> None:
        """Make what these records cause permanent, or raise."""

    def recovered(self, partitions: frozenset[int]) -> None:
        """Take the table as it is after a rebalance; `partitions` are all that are owned now."""


class InTurn:
    """Decodes each batch once and gives it to every part, one after the other.

    A crash between two of them repeats the batch. Those that had it know its records by their offsets.
    """

    def __init__(self, sources: Sequence[str], *parts: Part) -> None:
        self.sources = sources
        self._parts = parts

    def recovered(self, partitions: frozenset[int]) -> None:
        """Have each take its table as it is after a rebalance."""
        for part in self._parts:
            part.recovered(partitions)

    async def handle(self, records: Sequence[Record]) -> None:
        """Return when all have made permanent what the records cause; raises as they do."""
        with metrics.HANDLE_SECONDS.time():
            batch = heard(records)
            for part in self._parts:
                await part.handle(batch)
