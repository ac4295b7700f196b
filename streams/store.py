"""Values by key, grouped by the partition that owns them; as bytes, because most are not looked at."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol


class PartitionStore(Protocol):
    """A partition-aware map from key to encoded value, for one thread.

    What `put` changed since the last `keep` or `undo` is the open batch: `get` sees it, `undo` takes it back.
    """

    def open(self, partitions: Iterable[int]) -> None:
        """Begin these partitions with what is known of them without reading their changelog."""

    def start(self, partition: int, end: int) -> int:
        """Return the offset of the changelog to read back from; 0 when nothing is known.

        Args:
            end: where the changelog ends. What is known of a longer one is not of this changelog, and dropped.
        """

    def load(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a value that was read back; no part of a batch."""

    def loaded(self, partition: int, offset: int) -> None:
        """Note that everything before `offset` of the changelog was loaded."""

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget these partitions; their part of the open batch is undone."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""

    def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set the value of `key`; None removes it."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Return the keys and values of one partition."""

    def keep(self, ends: Mapping[int, int]) -> None:
        """Make the open batch permanent.

        Args:
            ends: the changelog's next offset of each partition that the batch wrote to.
        """

    def undo(self) -> None:
        """Put back the values from before the open batch."""

    def close(self) -> None:
        """Let go of files; nothing is called after it."""

    def __len__(self) -> int: ...


class MemoryStore:
    """Holds everything in dictionaries; a restart reads the whole changelog."""

    def __init__(self) -> None:
        self._partitions: dict[int, dict[bytes, bytes]] = {}
        self._before: list[tuple[int, bytes, bytes | None]] = []

    def open(self, partitions: Iterable[int]) -> None:
        """Begin these partitions empty."""
        self._partitions.update({number: {} for number in partitions})

    def start(self, partition: int, end: int) -> int:
        """Return 0: nothing is known of a partition that was just opened."""
        return 0

    def load(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a value that was read back."""
        if value is None:
            self._partitions[partition].pop(key, None)
        else:
            self._partitions[partition][key] = value

    def loaded(self, partition: int, offset: int) -> None:
        """Do nothing: there is no checkpoint."""

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget these partitions."""
        for number in partitions:
            self._partitions.pop(number, None)

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self._partitions[partition].get(key)

    def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set the value of `key`; None removes it."""
        values = self._partitions[partition]
        self._before.append((partition, key, values.get(key)))
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Return the keys and values of one partition."""
        return iter(self._partitions[partition].items())

    def keep(self, ends: Mapping[int, int]) -> None:
        """Forget the values from before the batch."""
        self._before.clear()

    def undo(self) -> None:
        """Put the values from before the batch back, newest change first."""
        for partition, key, value in reversed(self._before):
            if partition in self._partitions:
                self.load(partition, key, value)
        self._before.clear()

    def close(self) -> None:
        """Do nothing."""

    def __len__(self) -> int:
        return sum(map(len, self._partitions.values()))


def ends_of(topic: str, ends: Mapping[tuple[str, int], int]) -> Mapping[int, int]:
    """Return the next offsets of one topic, by partition."""
    return {partition: end for (name, partition), end in ends.items() if name == topic}
