"""What training reads is the same from every source, and is read as a stream."""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from confluent_kafka import TopicPartition
from pyarrow import parquet

from streams.codec import encode_json
from streams.contracts import Event
from streams.embedded import EmbeddedBroker
from streams.errors import BrokerError, DataError
from streams.kafka import consumer, producer
from streams.settings import Settings, load_settings
from streams.settings.state import RatingScale
from streams.topics import CATALOGUE, CLICKSTREAM, MODELS
from streams.worker import group_of
from workers import publisher, train
from workers.datasets import sample
from workers.datasets.parquet import ROWS_AT_ONCE, is_parquet, read_parquet
from workers.ranking.model.sequences import read_events
from workers.training_data import training_events
from workers.unread import unread_items


def rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    fields = [msgspec.structs.asdict(event) for event in events]
    return [{name: value for name, value in row.items() if name != "context"} for row in fields]


def write(path: Path, events: Sequence[dict[str, Any]]) -> Path:
    parquet.write_table(pa.Table.from_pylist(list(events)), path, row_group_size=500)
    return path


def digest(events: Any) -> str:
    data = sample.load()
    return read_events(events, [item.item_id for item in data.items], RatingScale())[0].sha256()


def test_parquet_brings_the_events_that_were_written(tmp_path: Path) -> None:
    events = sample.load().events
    path = write(tmp_path / "events.parquet", rows(events))
    assert list(read_parquet(path)) == list(events)


def test_a_folder_of_files_is_read_by_name_and_teaches_the_same(tmp_path: Path) -> None:
    events = sample.load().events
    for part in range(3):
        write(tmp_path / f"part-{part}.parquet", rows(events[part * 2_000 : (part + 1) * 2_000]))
    assert is_parquet(tmp_path)
    found = training_events(str(tmp_path), Settings())
    assert digest(found) == digest(events[:6_000])


def test_times_without_a_zone_are_utc_and_foreign_columns_are_not_read(tmp_path: Path) -> None:
    events = sample.load().events[:50]
    naive = [
        row | {"event_time": row["event_time"].replace(tzinfo=None), "event_kind": object.__name__}
        for row in rows(events)
    ]
    assert list(read_parquet(write(tmp_path / "a.parquet", naive))) == list(events)


def test_a_file_is_read_batch_by_batch(tmp_path: Path) -> None:
    good = rows(sample.load().events[:1]) * (2 * ROWS_AT_ONCE)
    bad = good[0] | {"event_type": "sneeze"}
    path = write(tmp_path / "a.parquet", [*good, bad])
    assert len(list(islice(read_parquet(path), 2 * ROWS_AT_ONCE))) == 2 * ROWS_AT_ONCE
    with pytest.raises(DataError, match=rf"a\.parquet, row {2 * ROWS_AT_ONCE + 1}: .*sneeze"):
        list(read_parquet(path))


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    lacking = [
        {name: value for name, value in row.items() if name != "user_id"} for row in rows(sample.load().events[:5])
    ]
    with pytest.raises(DataError, match="has no column user_id"):
        list(read_parquet(write(tmp_path / "a.parquet", lacking)))
    (tmp_path / "b.parquet").write_bytes(b"PAR2 and nothing else")
    with pytest.raises(DataError, match=r"b\.parquet cannot be read"):
        list(read_parquet(tmp_path / "b.parquet"))
    with pytest.raises(DataError, match="--events-before"):
        training_events(str(tmp_path), Settings(), 5)


def test_without_the_extra_the_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", rows(sample.load().events[:5]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"headrace\[parquet\]"):
        list(read_parquet(path))


def test_the_clickstream_teaches_the_same_and_what_is_no_event_is_left_out() -> None:
    events = sample.load().events[:1_500]
    with EmbeddedBroker() as broker:
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers})
        client = producer(settings)
        for event in events:
            client.produce(CLICKSTREAM, key=event.user_id, value=encode_json(event))
        client.produce(CLICKSTREAM, key=b"x", value=b"no event")
        client.produce(CLICKSTREAM, key=b"x", value=b'{"context":' + b"[" * 100_000)
        client.produce(CLICKSTREAM, key=b"x", value=None)
        assert client.flush(30) == 0
        found = list(training_events("clickstream", settings))
    assert {event.event_id for event in found} == {event.event_id for event in events}
    assert len(found) == len(events)
    assert sorted(found, key=events.index) == list(events)


def test_items_that_the_embedding_worker_has_not_read_are_counted() -> None:
    with EmbeddedBroker() as broker:
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers})
        client = producer(settings)
        for number in range(10):
            client.produce(CATALOGUE, key=str(number), value=b"{}", partition=number % 4)
        assert client.flush(30) == 0
        assert unread_items(settings, patience_seconds=0) == 10
        reader = consumer(settings, group_of("embedding", settings))
        for partition, offset in ((0, 3), (1, 3), (2, 2), (3, 1)):
            reader.commit(offsets=[TopicPartition(CATALOGUE, partition, offset)], asynchronous=False)
        reader.close()
        assert unread_items(settings, patience_seconds=0) == 1


def test_nothing_is_read_where_the_model_could_not_be_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "partition_count", lambda *_: 0)
    monkeypatch.setattr(train, "item_texts", lambda *_: pytest.fail("it was read"))
    with pytest.raises(BrokerError, match=MODELS):
        train.train_and_announce(Settings(), (), lambda _: None)
