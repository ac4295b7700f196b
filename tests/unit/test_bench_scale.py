"""The benchmark of a large start reads everything that it wrote, and says so when it did not."""

from pathlib import Path
from unittest.mock import patch

import pytest

from streams.topics import USER_VECTORS
from tests.bench import scale
from tests.bench.scale_parts.records import make, read, write


def test_files_give_back_the_records(tmp_path: Path) -> None:
    records = [(b"key", b""), (b"", b"value"), (bytes(300), bytes(70_000)), (b"\x00\x01", b"\xff")]
    write(tmp_path, "topic", iter(records))
    assert list(read(tmp_path, "topic")) == records
    assert list(read(tmp_path, "another")) == []


def test_a_worker_starts_on_what_was_drawn_and_a_lost_record_is_noticed() -> None:
    found = {figure.key: figure.value for figure in scale.figures(60, 80)}
    assert 0 < found["world_gb"] <= found["worker_most_gb"]
    assert 0 < found["world_seconds"] < found["ready_seconds"]

    def lossy(folder: Path, users: int, items: int) -> None:
        make(folder, users, items)
        write(folder, USER_VECTORS, iter(list(read(folder, USER_VECTORS))[1:]))

    with patch.object(scale, "make", lossy), pytest.raises(RuntimeError, match="did not read everything"):
        scale.figures(60, 80)
