"""Standing slates wait in two lines: an item that went is never behind a new model."""

import pytest

from workers.ranking.waiting import Allowance, Place, Waiting


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def users(first: int, count: int, partition: int = 0) -> list[Place]:
    return [(partition, b"%d" % number) for number in range(first, first + count)]


def test_a_new_model_lets_in_so_many_users_a_second() -> None:
    now = Now()
    waiting = Waiting(50.0, now)
    waiting.older_model(users(0, 1_000))
    taken = 0
    for tenth in range(51):
        now.seconds = tenth / 10
        taken += len(waiting.turn({0}))
    assert taken == pytest.approx(50 + 50 * 5, abs=1)  # those of the first second at once, then 50 a second
    assert len(waiting) == 1_000 - taken


def test_who_lost_an_item_waits_for_no_model() -> None:
    waiting = Waiting(1.0, Now())
    waiting.older_model(users(0, 500))
    waiting.lost_an_item(users(400, 150))
    assert set(users(400, 150)) <= set(waiting.turn({0}))


def test_nobody_waits_twice_and_everybody_is_counted_once() -> None:
    waiting = Waiting(1_000.0, Now())
    waiting.older_model(users(0, 20))
    waiting.lost_an_item(users(10, 20))
    assert len(waiting) == 30
    turn = waiting.turn({0})
    assert sorted(turn) == sorted(users(0, 30))
    assert len(waiting) == 0
    assert waiting.turn({0}) == []


def test_undo_lets_wait_again_and_keep_does_not() -> None:
    waiting = Waiting(1_000.0, Now())
    waiting.lost_an_item(users(0, 2))
    waiting.older_model(users(2, 2))
    first = waiting.turn({0})
    waiting.undo()
    assert sorted(waiting.turn({0})) == sorted(first)
    waiting.keep()
    waiting.undo()
    assert len(waiting) == 0


def test_a_fresh_slate_ends_the_wait() -> None:
    waiting = Waiting(1_000.0, Now())
    waiting.older_model(users(0, 2))
    waiting.take(users(0, 1)[0])
    assert waiting.turn({0}) == users(1, 1)


def test_only_active_partitions_have_a_turn_and_lost_ones_are_forgotten() -> None:
    waiting = Waiting(1_000.0, Now())
    waiting.older_model([*users(0, 2), *users(0, 2, partition=1)])
    assert waiting.turn({1}) == users(0, 2, partition=1)
    waiting.drop({0})
    assert len(waiting) == 0


def test_an_allowance_never_saves_up_more_than_a_second() -> None:
    now = Now()
    allowance = Allowance(10.0, now)
    allowance.take(10)
    assert allowance.left() == 0
    now.seconds = 100.0
    assert allowance.left() == 10
