"""A batch whose time runs out gets less, visibly, and everything again when there is time."""

import pytest

from workers.ranking.deadline import Deadline, Level


class Machine:
    """A worker that takes so long for a slate at each level."""

    def __init__(self, seconds: float | None, **cost: float) -> None:
        self.now = 0.0
        models = (Level.FULL, Level.MODEL) if "model" in cost else (Level.FULL,)
        self.cost = {"full": 0.0, "vector": 0.0, "popular": 0.0} | cost
        self.deadline = Deadline(seconds, lambda: self.now, models)

    def batch(self, slates: int = 10, searching: float = 0.0) -> Level:
        level = self.deadline.start(slates)
        self.now += searching * slates
        level = self.deadline.before_scoring(level, slates)
        took = self.cost[level.value] * slates
        self.deadline.scored(level, slates, took)
        self.now += took
        self.deadline.finish(level, slates)
        return level


def test_without_a_deadline_everything_is_done() -> None:
    machine = Machine(None, full=1_000.0)
    assert {machine.batch() for _ in range(10)} == {Level.FULL}


def test_what_fits_is_never_left_out() -> None:
    machine = Machine(1.0, full=0.09)
    assert {machine.batch() for _ in range(100)} == {Level.FULL}


def test_scoring_that_takes_too_long_gives_way_to_the_order_of_vectors() -> None:
    machine = Machine(1.0, full=0.5, vector=0.05)
    assert machine.batch() is Level.FULL  # nothing is known yet
    assert machine.batch() is Level.VECTOR


def test_searching_that_takes_too_long_leaves_popular_items() -> None:
    machine = Machine(1.0)
    assert machine.batch(searching=0.5) is Level.VECTOR  # its time is gone when the candidates are there
    assert machine.batch(searching=0.5) is Level.POPULAR


def test_the_ladder_is_climbed_again_when_the_load_has_gone() -> None:
    machine = Machine(1.0, full=0.5, vector=0.01)
    assert {machine.batch() for _ in range(5)} == {Level.FULL, Level.VECTOR}
    machine.cost["full"] = 0.01
    levels = [machine.batch() for _ in range(200)]
    assert levels[-1] is Level.FULL
    assert set(levels[-20:]) == {Level.FULL}


def test_a_batch_of_few_slates_still_gets_everything() -> None:
    machine = Machine(1.0, full=0.5)
    machine.batch(10)
    assert machine.batch(10) is not Level.FULL
    assert machine.batch(1) is Level.FULL


def test_a_slow_scorer_gives_way_to_the_model_without_it_first() -> None:
    machine = Machine(1.0, full=0.5, model=0.05, vector=0.01)
    assert machine.batch() is Level.FULL
    assert machine.batch() is Level.MODEL
    assert machine.batch(searching=0.06) is Level.VECTOR, "there is no time left for the model either"
    machine.cost |= {"full": 0.01, "model": 0.01}
    levels = [machine.batch() for _ in range(200)]
    assert Level.MODEL in levels
    assert set(levels[-20:]) == {Level.FULL}


@pytest.mark.parametrize("seconds", [0.001, 0.1, 10.0])
def test_most_batches_keep_their_deadline_after_the_first(seconds: float) -> None:
    machine = Machine(seconds, full=1.0, vector=0.005, popular=0.0)
    machine.batch()
    machine.batch()
    late = 0
    for _ in range(200):
        before = machine.now
        machine.batch()
        late += machine.now - before > seconds
    assert late <= 20  # a level is tried again now and then: nothing else shows that the load has gone
