"""What `headrace train --dataset` may name: a data set, a folder, Parquet files, or the clickstream itself."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import structlog

from streams.codec import UNREADABLE, decode_event
from streams.contracts import Event
from streams.errors import DataError
from streams.kafka import partition_count
from streams.reading import records_to_end
from streams.settings import Settings
from streams.topics import CLICKSTREAM
from workers.datasets import load_dataset
from workers.datasets.parquet import is_parquet, read_parquet
from workers.demo.plan import plan

CLICKSTREAM_SOURCE: Final = "clickstream"

_log = structlog.get_logger()


def training_events(source: str, settings: Settings, events_before: int = 0) -> Iterable[Event]:
    """Return the events that `source` names. Parquet and the clickstream are read as they are asked for.

    Args:
        source: `clickstream` (what the broker still keeps), a Parquet file or a folder of them, or what
            `load_dataset` takes.
        events_before: newest events that are left out; of a data set only.

    Raises:
        DataError: there is no such source, or it cannot leave events out.
    """
    path = Path(source).expanduser()
    streamed = source == CLICKSTREAM_SOURCE or is_parquet(path)
    if streamed and events_before:
        raise DataError(
            f"--events-before cannot leave events of {source} out: they come in no order of time.",
            "leave the option out, or name a data set.",
        )
    if source == CLICKSTREAM_SOURCE:
        return clickstream(settings)
    return read_parquet(path) if streamed else plan(load_dataset(source).events, events_before).older


def clickstream(settings: Settings) -> Iterator[Event]:
    """Yield the events that the broker keeps, up to its end; what is no event is counted and left out."""
    left_out = 0
    for record in records_to_end(settings, CLICKSTREAM, range(partition_count(settings, CLICKSTREAM))):
        try:
            yield decode_event(record.value or b"")
        except UNREADABLE:
            left_out += 1
    if left_out:
        _log.warning("records that are no events were left out", topic=CLICKSTREAM, records=left_out)
