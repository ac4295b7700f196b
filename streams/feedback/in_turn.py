"""Several things made of the same records."""

from collections.abc import Sequence
from typing import Protocol

from streams.contracts import Record, Rejected
from streams.feedback import metrics
from streams.feedback.decoding import Heard, heard
from streams.rejections import RejectedShare


class Part(Protocol):
    """One of them."""

    async def handle(self, batch: Sequence[Heard]) -> None:
        """Make what these records cause permanent, or raise."""

    def recovered(self, partitions: frozenset[int]) -> None:
        """Take the table as it is after a rebalance; `partitions` are all that are owned now."""


class InTurn:
    """Decodes each batch once and gives it to every part, one after the other.

    A crash between two of them repeats the batch. Those that had it know its records by their offsets.

    Args:
        rejections: watches how much cannot be used.
    """

    def __init__(self, sources: Sequence[str], rejections: RejectedShare, *parts: Part) -> None:
        self.sources = sources
        self._rejections = rejections
        self._parts = parts

    def recovered(self, partitions: frozenset[int]) -> None:
        """Have each take its table as it is after a rebalance."""
        for part in self._parts:
            part.recovered(partitions)

    async def handle(self, records: Sequence[Record]) -> None:
        """Return when all have made permanent what the records cause.

        Raises:
            Fatal: too many cannot be used; of this batch nothing is written, no dead letter either.
            Transient: see the parts.
        """
        with metrics.HANDLE_SECONDS.time():
            batch = heard(records)
            rejected = [message for _, message in batch if isinstance(message, Rejected)]
            self._rejections.note(len(batch), len(rejected), rejected[-1] if rejected else None)
            for part in self._parts:
                await part.handle(batch)
