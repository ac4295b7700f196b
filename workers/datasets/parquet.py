"""Events from Parquet files, a batch of rows at a time: what does not fit into memory can still be learned from.

Columns are the fields of `clickstream.events.v1`; `event_time` is a timestamp (UTC where it names no zone) or ISO
8601 text. Columns of other names are not read.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.contracts import Event
from streams.errors import DataError

EXTRA: Final = "parquet"
ROWS_AT_ONCE: Final = 16_384
_FIELDS: Final = tuple(name for name in Event.__struct_fields__ if name != "context")
"""A context has no fixed columns, and nothing is learned from it."""
_NEEDED: Final = ("event_id", "event_type", "user_id", "event_time")


def is_parquet(path: Path) -> bool:
    """Return whether `path` is a Parquet file, or a folder with at least one."""
    return path.suffix == ".parquet" if path.is_file() else path.is_dir() and any(path.glob("*.parquet"))


def read_parquet(path: Path) -> Iterator[Event]:
    """Yield the events of a file, or of all files `*.parquet` of a folder by name; in any order of time.

    Raises:
        DataError: the extra is not installed, a file cannot be read, a column is missing, or a row is wrong; the
            sentence names file and row.
    """
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - an optional extra
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise DataError(
            f"{path} is Parquet, which needs pyarrow.", f"install it: pip install 'headrace[{EXTRA}]'."
        ) from None
    for file in [path] if path.is_file() else sorted(path.glob("*.parquet")):
        try:
            with ParquetFile(file) as opened:
                yield from _events(file, opened)
        except (OSError, ArrowException) as error:
            raise DataError(f"{file} cannot be read: {error}.", "name a readable Parquet file.") from None


def _events(file: Path, opened: Any) -> Iterator[Event]:
    there = opened.schema_arrow.names
    if missing := [name for name in _NEEDED if name not in there]:
        raise DataError(
            f"{file} has no column {', '.join(missing)}.",
            f"name the columns as the fields of an event: {', '.join(_FIELDS)}.",
        )
    row = 0
    for batch in opened.iter_batches(ROWS_AT_ONCE, columns=[name for name in _FIELDS if name in there]):
        for fields in batch.to_pylist():
            row += 1
            try:
                yield _event(fields)
            except (msgspec.ValidationError, ValueError) as error:
                raise DataError(f"{file}, row {row}: {error}.", "correct or remove that row.") from None


def _event(fields: dict[str, Any]) -> Event:
    given = {name: value for name, value in fields.items() if value is not None}
    if isinstance(time := given.get("event_time"), datetime) and time.tzinfo is None:
        given["event_time"] = time.replace(tzinfo=UTC)
    return msgspec.convert(given | {"schema_version": 1}, Event)
