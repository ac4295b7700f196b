"""What RecBole answers is judged by the same questions as ours, or refused."""

from pathlib import Path

import numpy as np
import pytest

from tests.bench.recbole.answering import masked_ranks
from tests.bench.recbole.handing import write_log
from workers.ranking.evaluation.protocols import Questions, leave_one_out
from workers.ranking.model.sequences import Sequences

ITEMS = 12


@pytest.fixture
def questions() -> Questions:
    draws = np.random.default_rng(0)
    rows = np.concatenate([draws.permutation(ITEMS)[:6] for _ in range(5)])
    users = np.repeat(np.arange(5), 6)
    return leave_one_out(Sequences.of(users, rows, np.zeros(30, np.int64), draws.integers(9, size=30)))


def test_the_order_of_the_log_is_the_order_of_the_times_that_are_written(
    questions: Questions, tmp_path: Path
) -> None:
    write_log(questions.log, tmp_path)
    head, *lines = (tmp_path / "headrace" / "headrace.inter").read_text().splitlines()
    assert head == "user_id:token\titem_id:token\ttimestamp:float"
    users, rows, times = np.array([line.split("\t") for line in lines], np.int64).T
    assert (users == questions.log.starts).all()
    assert (rows == questions.log.events.rows).all()
    assert (np.diff(times) > 0).all()
    assert times.max() < 2**24, "exact as float32"


def test_answers_are_put_in_order_and_items_already_seen_cannot_stand_above_the_target(
    questions: Questions,
) -> None:
    scores = np.random.default_rng(1).permuted(np.tile(np.arange(ITEMS, dtype=np.uint16), (5, 1)), axis=1)
    order = np.array([3, 0, 4, 1, 2])
    ranks = masked_ranks(questions, questions.users[order], questions.targets[order], scores[order])
    for line, rank, target, end in zip(scores, ranks, questions.targets, questions.ends, strict=True):
        seen = questions.log.events.rows[questions.log.starts[end] : end]
        rivals = np.setdiff1d(np.arange(ITEMS), seen)
        assert rank == 1 + (line[rivals] > line[target]).sum()


def test_answers_to_other_questions_are_refused(questions: Questions) -> None:
    scores = np.zeros((5, ITEMS), np.uint16)
    with pytest.raises(ValueError, match="other items"):
        masked_ranks(questions, questions.users, questions.targets + 1, scores)
    with pytest.raises(ValueError, match="other users"):
        masked_ranks(questions, questions.users + 1, questions.targets, scores)
