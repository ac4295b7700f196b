"""Where the state worker holds its users: `state.store`."""

from pathlib import Path

from platformdirs import user_data_path

from streams.errors import SettingError
from streams.kafka import is_embedded, topic_identity
from streams.settings import Settings
from streams.store import MemoryStore, PartitionStore
from streams.topics import USER_STATE
from streams.worker import identity


def state_store(settings: Settings) -> PartitionStore:
    """Return the store that `state.store` asks for.

    Raises:
        SettingError: it cannot be had.
        BrokerError: the broker does not describe the changelog.
    """
    if settings.state.store == "memory":
        return MemoryStore()
    if is_embedded(settings):
        raise SettingError(
            "Setting state.store is rocksdb, and the embedded broker keeps nothing to read it back from.",
            "use Apache Kafka, or set HEADRACE_STATE__STORE to memory.",
        )
    try:
        from streams.rocks import RocksStore  # noqa: PLC0415 - an extra that need not be installed
    except ModuleNotFoundError:
        raise SettingError(
            "Setting state.store is rocksdb, and RocksDB is not installed.",
            "run `pip install 'headrace[rocksdb]'`, or set HEADRACE_STATE__STORE to memory.",
        ) from None
    return RocksStore(
        store_directory(settings), topic_identity(settings, USER_STATE), settings.state.rocksdb.cache_bytes
    )


def store_directory(settings: Settings) -> Path:
    """Return where this worker's databases are."""
    directory = settings.state.rocksdb.directory or user_data_path("headrace") / "state"
    return directory / identity("state", settings)
