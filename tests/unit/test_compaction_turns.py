"""Compactions of several indexes: one at a time, none before they may, and none holds up the end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from index.compaction import Compactor, Turns


class Work:
    """A compaction that is due until it ran once, and notes how many of its kind run beside it."""

    running = 0
    most = 0
    lock = threading.Lock()

    def __init__(self, turns: Turns | None = None, seconds: float = 0.02) -> None:
        self._seconds = seconds
        self.done = threading.Event()
        self.compactor = Compactor(self._compact, lambda: not self.done.is_set(), turns)

    def _compact(self) -> None:
        with Work.lock:
            Work.running += 1
            Work.most = max(Work.most, Work.running)
        time.sleep(self._seconds)
        with Work.lock:
            Work.running -= 1
        self.done.set()


@pytest.fixture(autouse=True)
def _from_nothing() -> None:
    Work.running = Work.most = 0


@contextmanager
def asked(*works: Work) -> Iterator[None]:
    for work in works:
        work.compactor.request()
    try:
        yield
    finally:
        for work in works:
            work.compactor.close()


def test_indexes_that_share_turns_compact_one_at_a_time() -> None:
    turns = Turns()
    works = [Work(turns) for _ in range(4)]
    with asked(*works):
        assert all(work.done.wait(10) for work in works)
    assert Work.most == 1


def test_nothing_compacts_before_turns_are_open() -> None:
    turns = Turns(opened=False)
    works = [Work(turns) for _ in range(2)]
    with asked(*works):
        assert not any(work.done.wait(0.1) for work in works)
        turns.open()
        assert all(work.done.wait(10) for work in works)


def test_an_index_that_is_closed_while_it_waits_for_its_turn_ends_at_once() -> None:
    turns = Turns(opened=False)
    waiting, begun = Work(turns), time.monotonic()
    waiting.compactor.request()
    waiting.compactor.close()
    assert time.monotonic() - begun < 5
    turns.open()
    assert not waiting.done.wait(0.1)


def test_a_turn_is_given_back_by_a_compaction_that_fails() -> None:
    turns = Turns()
    tried = threading.Event()

    def fail() -> None:
        tried.set()
        raise MemoryError("no room")

    failing, after = Compactor(fail, lambda: True, turns), Work(turns)
    failing.request()
    assert tried.wait(10)
    with asked(after):
        assert after.done.wait(10)
    failing.close()
