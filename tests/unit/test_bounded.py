"""A call comes back in time, with what it raised, or is overdue."""

import threading

import pytest

from streams.bounded import Bounded, Overdue


def test_calls_are_made_in_their_order_and_one_at_a_time() -> None:
    made: list[int] = []
    bounded = Bounded()
    for number in range(100):
        bounded(lambda number=number: made.append(number), 10)  # type: ignore[misc]
        assert made[-1] == number


def test_what_a_call_raises_is_raised_and_the_next_call_is_made() -> None:
    bounded = Bounded()
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 / 0, 10)
    done = threading.Event()
    bounded(done.set, 10)
    assert done.is_set()


def test_a_call_that_does_not_come_back_is_overdue() -> None:
    released = threading.Event()
    with pytest.raises(Overdue):
        Bounded()(released.wait, 0.05)
    released.set()


@pytest.mark.parametrize(("doubtful", "waited"), [(True, "0.02"), (False, "0.05")])
def test_a_call_in_doubt_is_overdue_sooner(doubtful: bool, waited: str) -> None:
    released = threading.Event()
    with pytest.raises(Overdue, match=f"after {waited} s"):
        Bounded()(released.wait, 0.05, lambda: doubtful, 0.02)
    released.set()


def test_a_call_that_comes_back_is_not_doubted() -> None:
    def asked() -> bool:
        raise AssertionError

    Bounded()(lambda: None, 10, asked, 5)


def test_its_thread_ends_with_it() -> None:
    threads: list[threading.Thread] = []
    bounded = Bounded()
    bounded(lambda: threads.append(threading.current_thread()), 10)
    del bounded
    threads[0].join(10)
    assert not threads[0].is_alive()
