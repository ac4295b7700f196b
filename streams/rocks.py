"""Values by key in RocksDB, one database a partition: a restart reads only the tail of the changelog.

A database is its own checkpoint: the offset up to which it holds the changelog lies under the empty key and is
written with the values, in one atomic write. RocksDB's write-ahead log is not synced: after a crash of the machine
it holds an older batch with that batch's offset, and the tail is longer.

Nothing here is the only copy. What cannot be trusted is deleted and read back from Kafka: a damaged database, one
of another changelog (or of a longer one), and one that was away for so long that Kafka may have forgotten
deletions which it never saw.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import msgspec
import structlog
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from streams import metrics
from streams.clock import Clock, wall_seconds
from streams.errors import DataError, Transient

T = TypeVar("T")
_log = structlog.get_logger()
_CHECKPOINT = b""  # no key of ours is empty
_DAMAGED = "DAMAGED"
_VERSION = 1
_MOST_AGE_SECONDS = 12 * 3600.0
"""Kafka keeps a deletion readable for `delete.retention.ms`, a day unless told otherwise."""
_DISK_WORDS = (
    "No space left", "quota", "File too large", "Too many open files", "Permission denied", "Read-only", "/LOCK:",
)  # fmt: skip
"""What RocksDB says when the disk is not to be had; everything else is a damaged database."""
_WRITE_BUFFER_BYTES = 16 * 1024 * 1024
_LOG_BYTES = 64 * 1024 * 1024


class Checkpoint(NamedTuple):
    """What a database is good for.

    Attributes:
        changelog: identity of the topic; a topic that was made again has another.
        offset: everything before it is in the database.
        at_seconds: when that was so, seconds since the epoch.
    """

    version: int
    changelog: str
    offset: int
    at_seconds: float


class RocksStore:
    """A `PartitionStore` on disk.

    Args:
        directory: of this worker alone.
        changelog: identity of the topic that the values are read back from.
        cache_bytes: blocks that are held in memory, of all partitions together.

    Raises, from every method:
        DataError: the disk is full or cannot be written. Nothing is lost: Kafka has everything.
        Transient: a database turned out to be damaged; the next start rebuilds it.
    """

    def __init__(self, directory: Path, changelog: str, cache_bytes: int, clock: Clock = wall_seconds) -> None:
        self._directory = directory
        self._changelog = changelog
        self._clock = clock
        self._options = _options(cache_bytes)
        self._databases: dict[int, Rdict] = {}
        self._offsets: dict[int, int] = {}
        self._loading: dict[int, WriteBatch] = {}
        self._batch: dict[int, dict[bytes, bytes | None]] = {}

    def open(self, partitions: Iterable[int]) -> None:
        """Open or make the databases of these partitions."""
        for number in partitions:
            self._open(number)

    def start(self, partition: int, end: int) -> int:
        """Return the checkpoint's offset; 0 after dropping what cannot be of this changelog."""
        if self._offsets[partition] > end:
            self._rebuild(partition, "it is ahead of its changelog")
        return self._offsets[partition]

    def load(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a value that was read back; written by `loaded`."""
        batch = self._loading.get(partition)
        if batch is None:
            batch = self._loading[partition] = WriteBatch(raw_mode=True)
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)

    def loaded(self, partition: int, offset: int) -> None:
        """Write what was loaded, with its offset."""
        batch = self._loading.pop(partition, None)
        if batch is not None or offset > self._offsets[partition]:
            self._write(partition, batch or WriteBatch(raw_mode=True), offset)

    def drop(self, partitions: Iterable[int]) -> None:
        """Close these partitions; their files stay, for the day that they come back."""
        for number in partitions:
            self._batch.pop(number, None)
            self._loading.pop(number, None)
            self._offsets.pop(number, None)
            if (database := self._databases.pop(number, None)) is not None:
                database.close()

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        changed = self._batch.get(partition)
        if changed is not None and key in changed:
            return changed[key]
        return cast("bytes | None", self._do(partition, lambda: self._databases[partition].get(key)))

    def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set the value of `key` in the open batch; None removes it."""
        self._batch.setdefault(partition, {})[key] = value

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Return the keys and values of one partition, without the open batch."""
        # Not items(): it ends without a word where a block is damaged.
        cursor = self._databases[partition].iter()
        cursor.seek_to_first()
        while cursor.valid():
            key, value = cast(bytes, cursor.key()), cast(bytes, cursor.value())
            if key != _CHECKPOINT:
                yield key, value
            cursor.next()
        self._do(partition, cursor.status)

    def keep(self, ends: Mapping[int, int]) -> None:
        """Write the open batch, with where it ends in the changelog."""
        for number, changed in self._batch.items():
            batch = WriteBatch(raw_mode=True)
            for key, value in changed.items():
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)
            self._write(number, batch, ends.get(number, self._offsets[number]))
        self._batch.clear()

    def undo(self) -> None:
        """Forget the open batch; nothing of it was written."""
        self._batch.clear()

    def close(self) -> None:
        """Note that the databases are good until now, and close them."""
        for number in list(self._databases):
            self._write(number, WriteBatch(raw_mode=True), self._offsets[number])
        self.drop(list(self._databases))

    def __len__(self) -> int:
        """Return about how many values there are; RocksDB keeps no count."""
        keys = (database.property_int_value("rocksdb.estimate-num-keys") for database in self._databases.values())
        return sum(max(0, (count or 0) - 1) for count in keys)

    def _path(self, partition: int) -> Path:
        return self._directory / str(partition)

    def _open(self, partition: int) -> None:
        path = self._path(partition)
        why = "it was damaged" if (path / _DAMAGED).exists() else self._opened(partition)
        if why is not None:
            self._rebuild(partition, why)

    def _opened(self, partition: int) -> str | None:
        """Open a database; return why it cannot be used, if so."""
        self._offsets[partition] = 0
        try:
            self._path(partition).mkdir(parents=True, exist_ok=True)
            database = Rdict(str(self._path(partition)), self._options)
            self._databases[partition] = database
            found = database.get(_CHECKPOINT)
        except Exception as error:
            if _is_disk(error):
                raise _disk(self._directory, error) from None
            return str(error)
        if found is None:
            first = database.iter()
            first.seek_to_first()
            return "it has values and no checkpoint" if first.valid() else None
        try:
            checkpoint = msgspec.msgpack.decode(cast(bytes, found), type=Checkpoint)
        except msgspec.MsgspecError as error:
            return str(error)
        if (checkpoint.version, checkpoint.changelog) != (_VERSION, self._changelog):
            return "it is of another changelog"
        if self._clock() - checkpoint.at_seconds > _MOST_AGE_SECONDS:
            return "it was away for too long"
        self._offsets[partition] = checkpoint.offset
        return None

    def _rebuild(self, partition: int, why: str) -> None:
        _log.warning("local state dropped; it is read back from its changelog", partition=partition, why=why)
        metrics.STORES_REBUILT.inc()
        self.drop([partition])
        shutil.rmtree(self._path(partition), ignore_errors=True)
        if (why_again := self._opened(partition)) is not None:
            raise DataError(
                f"The state store in {self._directory} cannot be made: {why_again}.",
                "look at its permissions and its disk, or set state.store (HEADRACE_STATE__STORE) to memory.",
            )

    def _write(self, partition: int, batch: WriteBatch, offset: int) -> None:
        checkpoint = Checkpoint(_VERSION, self._changelog, offset, self._clock())
        batch.put(_CHECKPOINT, msgspec.msgpack.encode(checkpoint))
        self._do(partition, lambda: self._databases[partition].write(batch))
        self._offsets[partition] = offset

    def _do(self, partition: int, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            if _is_disk(error):
                raise _disk(self._directory, error) from None
            (self._path(partition) / _DAMAGED).touch()
            raise Transient(f"the local state of partition {partition} is damaged: {error}") from None


def _options(cache_bytes: int) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(cache_bytes))
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_bloom_filter(10, False)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_total_wal_size(_LOG_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    return options


def _is_disk(error: Exception) -> bool:
    return isinstance(error, OSError) or any(words in str(error) for words in _DISK_WORDS)


def _disk(directory: Path, error: Exception) -> DataError:
    return DataError(
        f"The state store cannot use its disk: {error}.",
        f"free space for {directory} or let this worker alone use it, and start the worker again; or set "
        "state.store (HEADRACE_STATE__STORE) to memory. Nothing is lost: the state is in Kafka.",
    )
