"""What a user costs in memory, by what the process grows: `python -m tests.bench.state_parts.sizes KIND USERS`."""

import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from streams.contracts import Output, Record, Rejected
from streams.settings import load_settings
from streams.state.transform import StateTransform
from streams.store import MemoryStore, PartitionStore
from streams.topics import CLICKSTREAM, USER_STATE
from tests.bench.state_parts.workload import event

EVENTS = 20
_USERS_A_BATCH = 500


def states(users: int, store: PartitionStore) -> Iterator[Output]:
    """Fold `EVENTS` events of each user into `store`; return what the worker would write."""
    transform = StateTransform(load_settings(), 1, store)
    transform.assigned([0])
    transform.restored([0])
    offset = 0
    for first in range(0, users, _USERS_A_BATCH):
        batch: list[Any] = []
        for user in range(first, min(users, first + _USERS_A_BATCH)):
            name = f"user-{user}"
            for number in range(EVENTS):
                value = event(offset, name, (user * 31 + number * 977) % 20_000)
                message = transform.decode(
                    Record(CLICKSTREAM, 0, offset, 1_800_000_000_000, name.encode(), value, ())
                )
                assert not isinstance(message, Rejected), message
                batch.append(message)
                offset += 1
        yield from (output for output in transform.handle(batch) if output.topic == USER_STATE)
        transform.kept({})


def memory_bytes_per_user(users: int) -> float:
    """Return how much the process grows by each user in the memory store."""
    store = MemoryStore()
    _exhaust(states(_USERS_A_BATCH, MemoryStore()))  # imports, caches and pools of the allocator
    before = _resident_bytes()
    _exhaust(states(users, store))
    gc.collect()
    assert len(store) == users
    return (_resident_bytes() - before) / users


def rocksdb_growth_bytes(users: int) -> float:
    """Return by how much the process grows from half of the users in RocksDB to all of them."""
    from streams.rocks import RocksStore  # noqa: PLC0415

    (value,) = (output.value for output in states(1, MemoryStore()))
    assert value is not None
    with tempfile.TemporaryDirectory() as directory:
        store = RocksStore(Path(directory), "bench", 128 * 1024 * 1024)
        store.open([0])
        _put(store, 0, users // 2, value)
        before = _resident_bytes()
        _put(store, users // 2, users, value)
        grown = _resident_bytes() - before
        store.close()
    return grown


def _put(store: PartitionStore, first: int, last: int, value: bytes) -> None:
    for user in range(first, last):
        # Every state is another: equal ones would compress to nothing.
        store.put(0, b"user-%d" % user, value[:-8] + user.to_bytes(8, "little"))
        if user % 2_000 == 0:
            store.get(0, b"user-%d" % (user * 7 % (user + 1)))
            store.keep({0: user})
    store.keep({0: last})


def _exhaust(outputs: Iterator[Output]) -> None:
    for _ in outputs:
        pass


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


KINDS: dict[str, Callable[[int], float]] = {"memory": memory_bytes_per_user, "rocksdb": rocksdb_growth_bytes}

if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](int(sys.argv[2]))))
