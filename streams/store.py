"""Values by key, grouped by the partition that owns them; as bytes, because most are not looked at."""

from collections.abc import Iterable, Iterator, Sequence


class PartitionStore:
    """A partition-aware map from key to encoded value, for one thread."""

    def __init__(self) -> None:
        self._partitions: dict[int, dict[bytes, bytes]] = {}

    def open(self, partitions: Iterable[int]) -> None:
        """Begin these partitions empty."""
        self._partitions.update({number: {} for number in partitions})

    def drop(self, partitions: Sequence[int]) -> None:
        """Forget these partitions."""
        for number in partitions:
            self._partitions.pop(number, None)

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self._partitions[partition].get(key)

    def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set the value of `key`; None removes it."""
        if value is None:
            self._partitions[partition].pop(key, None)
        else:
            self._partitions[partition][key] = value

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Return the keys and values of one partition."""
        return iter(self._partitions[partition].items())

    def __len__(self) -> int:
        return sum(map(len, self._partitions.values()))
