"""The RocksDB store: it holds what the memory store holds, knows how far it is, and trusts no damaged file."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import DataError, Transient
from streams.rocks import RocksStore
from streams.store import MemoryStore

CACHE_BYTES = 8 * 1024 * 1024
FAR = 1_000_000


def store(directory: Path, changelog: str = "topic-1", now: float = 1_000.0) -> RocksStore:
    made = RocksStore(directory, changelog, CACHE_BYTES, lambda: now)
    made.open([0, 1])
    return made


def filled(directory: Path, users: int = 100) -> None:
    """Leave a store whose partition 0 is at offset 500."""
    made = store(directory)
    for user in range(users):
        made.put(0, b"u%d" % user, b"state %d" % user * 20)
    made.keep({0: 500})
    made.close()


def files(directory: Path, kind: str) -> list[Path]:
    return sorted((directory / "0").glob(kind))


Step = tuple[str, int, bytes, bytes | None]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", "load", "keep", "undo")),
        st.integers(0, 1),
        st.sampled_from((b"a", b"b", b"c")),
        st.none() | st.binary(min_size=1, max_size=4),
    ),
    max_size=30,
)


@settings(max_examples=25)
@given(STEPS)
def test_it_holds_what_the_memory_store_holds(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[Step]
) -> None:
    rocks, memory = store(tmp_path_factory.mktemp("rocks")), MemoryStore()
    memory.open([0, 1])
    for both in (rocks, memory):
        for number, (what, partition, key, value) in enumerate(steps):
            if what == "put":
                both.put(partition, key, value)
            elif what == "load":
                both.undo()  # a restore comes between batches
                both.load(partition, key, value)
                both.loaded(partition, number)
            elif what == "keep":
                both.keep({0: number, 1: number})
            else:
                both.undo()
    for partition in (0, 1):
        for key in (b"a", b"b", b"c"):
            assert rocks.get(partition, key) == memory.get(partition, key)
    for both in (rocks, memory):
        both.undo()
    for partition in (0, 1):
        assert dict(rocks.items(partition)) == dict(memory.items(partition))
    rocks.close()


def test_a_restart_begins_where_the_last_batch_ended(tmp_path: Path) -> None:
    filled(tmp_path)
    again = store(tmp_path)
    assert again.start(0, FAR) == 500
    assert again.start(1, FAR) == 0
    assert again.get(0, b"u7") == b"state 7" * 20
    again.close()


def test_a_batch_that_was_undone_leaves_no_trace(tmp_path: Path) -> None:
    made = store(tmp_path)
    made.put(0, b"u", b"1")
    made.keep({0: 1})
    made.put(0, b"u", b"2")
    made.undo()
    assert made.get(0, b"u") == b"1"
    made.put(0, b"u", b"3")
    made.drop([0, 1])  # revoked in the middle of a batch
    again = store(tmp_path)
    assert again.get(0, b"u") == b"1"
    again.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from streams.rocks import RocksStore
made = RocksStore(Path(sys.argv[1]), "topic-1", 8 * 1024 * 1024, lambda: 1_000.0)
made.open([0])
for batch in range(50):
    for user in range(200):
        made.put(0, b"u%d" % user, b"%d" % batch * 50)
    made.keep({0: batch + 1})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_kill_values_and_offset_are_of_the_same_batch(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    made = store(tmp_path)
    batch = made.start(0, FAR)
    assert batch == 50
    assert {value for _, value in made.items(0)} == {b"%d" % (batch - 1) * 50}
    made.close()


@pytest.mark.parametrize(
    ("changelog", "now", "end"),
    [("topic-2", 1_000.0, FAR), ("topic-1", 1_000.0 + 13 * 3600, FAR), ("topic-1", 1_000.0, 499)],
    ids=["another topic", "away for too long", "ahead of its changelog"],
)
def test_what_is_not_of_this_changelog_is_dropped(tmp_path: Path, changelog: str, now: float, end: int) -> None:
    filled(tmp_path)
    made = store(tmp_path, changelog, now)
    assert made.start(0, end) == 0
    assert made.get(0, b"u7") is None
    made.put(0, b"u7", b"new")
    made.keep({0: 3})
    made.close()


@pytest.mark.parametrize("kind", ["CURRENT", "MANIFEST-*", "*.sst"])
def test_damage_that_is_seen_at_the_start_drops_the_store(tmp_path: Path, kind: str) -> None:
    filled(tmp_path)
    made = store(tmp_path)  # replays the log into a table
    made.close()
    for path in files(tmp_path, kind):
        path.write_bytes(b"junk")
    again = store(tmp_path)
    assert again.start(0, FAR) == 0
    assert again.get(0, b"u7") is None
    again.close()


def test_a_table_that_is_gone_drops_the_store(tmp_path: Path) -> None:
    filled(tmp_path)
    store(tmp_path).close()
    for path in files(tmp_path, "*.sst"):
        path.unlink()
    again = store(tmp_path)
    assert again.start(0, FAR) == 0
    again.close()


def test_a_checkpoint_that_cannot_be_read_drops_the_store(tmp_path: Path) -> None:
    filled(tmp_path)
    made = store(tmp_path)
    made._databases[0].put(b"", b"\xc1 no message pack")
    made._databases[0].close()
    made._databases[1].close()
    again = store(tmp_path)
    assert again.start(0, FAR) == 0
    assert again.get(0, b"u7") is None
    again.close()


def test_damage_that_is_seen_later_ends_the_worker_and_the_next_start_rebuilds(tmp_path: Path) -> None:
    filled(tmp_path, users=20_000)
    store(tmp_path).close()
    values = max(files(tmp_path, "*.sst"), key=lambda path: path.stat().st_size)
    content = bytearray(values.read_bytes())
    for place in range(len(content) // 3, len(content) // 2, 1_000):
        content[place] ^= 0xFF
    values.write_bytes(content)
    made = store(tmp_path)
    assert made.start(0, FAR) == 500
    with pytest.raises(Transient, match="damaged"):
        [made.get(0, b"u%d" % user) for user in range(20_000)]
    made.drop([0, 1])
    again = store(tmp_path)
    assert again.start(0, FAR) == 0
    assert again.get(0, b"u7") is None
    again.close()


def test_two_workers_cannot_share_a_directory(tmp_path: Path) -> None:
    made = store(tmp_path)
    with pytest.raises(DataError, match="let this worker alone use it"):
        store(tmp_path)
    made.put(0, b"u", b"1")
    made.keep({0: 1})
    assert made.get(0, b"u") == b"1"
    made.close()


FULL = """
import sys
from pathlib import Path
from streams.errors import DataError
from streams.rocks import RocksStore
made = RocksStore(Path(sys.argv[1]), "topic-1", 8 * 1024 * 1024, lambda: 1_000.0)
made.open([0])
try:
    for batch in range(1_000):
        made.put(0, b"%d" % batch, b"x" * 10_000)
        made.keep({0: batch + 1})
except DataError as error:
    print(batch, error)
    sys.exit(error.exit_code)
"""


def _small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_full_disk_ends_the_worker_with_what_to_do_and_loses_nothing(tmp_path: Path) -> None:
    full = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        check=False,
        preexec_fn=_small_files,
        capture_output=True,
        text=True,
    )
    assert full.returncode == DataError.exit_code, full.stderr
    assert "Operator action: free space" in full.stdout
    kept = int(full.stdout.split()[0])
    again = store(tmp_path)
    assert again.start(0, FAR) == kept
    assert len(dict(again.items(0))) == kept
    again.close()
