"""A Faust table whose writes are awaited.

Faust sends a table's changes to its changelog whenever it likes. Here the order is ours: a batch's results are
with the broker before the states that remember them, and those before the batch is acknowledged. A crash at any
point so leaves a state that is not ahead of its results, and offsets that are not ahead of the state.
The table is Faust's in all else: its changelog, its recovery, its store.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.types.tables import CollectionT

from streams.contracts import Output
from streams.feedback.outbox import Outbox

Change = tuple[int, bytes | None]
"""Partition and new value of a key; None removes it."""


class AwaitedTable:
    """Bytes by key, for one event loop.

    Args:
        table: made with raw keys and values, in memory, with its default changelog.
    """

    def __init__(self, table: CollectionT, outbox: Outbox) -> None:
        self._table: Any = table
        self._outbox = outbox

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        found: bytes | None = self._table.data.get(key)
        return found

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Return every key and value that this worker holds."""
        return iter(tuple(self._table.data.items()))

    def forget(self, keys: Iterable[bytes]) -> None:
        """Drop keys from memory; another worker has them now."""
        for key in keys:
            self._table.data.pop(key, None)

    async def write(self, changes: Mapping[bytes, Change]) -> None:
        """Make changes permanent, then visible.

        Raises:
            Transient: the broker did not take them all; the process must not go on.
        """
        topic = self._table.changelog_topic_name
        await self._outbox.deliver(Output(topic, number, key, value) for key, (number, value) in changes.items())
        for key, (_, value) in changes.items():
            if value is None:
                self._table.data.pop(key, None)
            else:
                self._table.data[key] = value

    def __len__(self) -> int:
        return len(self._table.data)
