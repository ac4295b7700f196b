"""What a worker does with its records, as the loop sees it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from streams.contracts import Output, Record, Rejected
from streams.store import PartitionStore

M = TypeVar("M")
Apply = Callable[[int, bytes, bytes | None], None]
"""Takes partition, key and value (None for a deletion) of one record, in the partition's order."""
Ends = Mapping[tuple[str, int], int]
"""(topic, partition) -> the offset after the last record that a batch wrote there."""


@dataclass(frozen=True)
class Changelog:
    """A topic that is read back before a partition's sources are.

    Attributes:
        load: called for every record with a key.
        start: partition and end of the topic -> the offset to begin at.
        loaded: told partition and offset when everything before the offset was loaded.
    """

    topic: str
    load: Apply
    start: Callable[[int, int], int] = lambda partition, end: 0
    loaded: Callable[[int, int], None] = lambda partition, offset: None


def changelog(topic: str, store: PartitionStore) -> Changelog:
    """Return the changelog of a store."""
    return Changelog(topic, store.load, store.start, store.loaded)


class Transform(Protocol[M]):
    """What one worker does with its records. Called from one thread.

    Between `handle` or `tick` and the answer `kept` or `abandoned` lies one batch. No partition comes or goes
    meanwhile.
    """

    @property
    def sources(self) -> Sequence[str]:
        """Topics to read; the first is the one that is subscribed to, the others follow its partitions."""

    def decode(self, record: Record) -> M | Rejected:
        """Return the message of `record`, or why there is none. Raises nothing."""

    def handle(self, batch: Iterable[M]) -> Iterable[Output]:
        """Apply the messages, in the log's order by partition, and return what to write.

        Args:
            batch: to be read once, to its end: records are decoded while it is read. It may hold nothing.
        """

    def tick(self) -> Iterable[Output]:
        """Do what no record of the sources asks for, and return what to write. Called once a turn."""

    def kept(self, ends: Ends) -> None:
        """Go on: the batch is in the log."""

    def abandoned(self) -> None:
        """Undo the batch: it is not in the log, and its records will come again."""

    def assigned(self, partitions: Sequence[int]) -> Sequence[Changelog]:
        """Open these partitions; return what is to be read back before their sources are read."""

    def restored(self, partitions: Sequence[int]) -> None:
        """Hear that what `assigned` asked for was read back; the sources of these partitions start now."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget these partitions, restored or not; another worker has them now."""

    def close(self) -> None:
        """Let go of files; nothing is called after it."""
