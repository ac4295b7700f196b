"""Recall of a source: the next item is among the first rows that it names and the user has not seen."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_evaluation import ITEMS, log, texts
from workers.ranking.candidates import Query
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.measuring import ask
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.recall import NOT_FOUND, UNION, Found, found_by, joined, recalls
from workers.ranking.evaluation.retrieval import Retrieved
from workers.ranking.evaluation.systems import baselines
from workers.ranking.fusion import union

ROWS = st.integers(0, 12)
LISTS = st.lists(ROWS, max_size=14)


def retrieved(proposals: dict[str, list[list[int]]], seen: list[list[int]]) -> Retrieved:
    arrays = {name: [np.array(rows, np.int64) for rows in lists] for name, lists in proposals.items()}
    queries = [cast(Query, SimpleNamespace(seen=np.unique(np.array(rows, np.int64)))) for rows in seen]
    candidates = union(list(arrays.values()))
    kept = [row not in seen[owner] for row, owner in zip(candidates.rows, candidates.owners, strict=True)]
    asked = {name: np.ones(len(seen), np.bool_) for name in proposals}
    return Retrieved(queries, arrays, asked, candidates.keep(np.array(kept, np.bool_)))


def aimed_at(targets: list[int]) -> Questions:
    return cast(Questions, SimpleNamespace(targets=np.array(targets, np.int64)))


@given(st.lists(st.tuples(LISTS, LISTS, st.lists(ROWS, max_size=4), ROWS), min_size=1, max_size=4))
def test_a_place_counts_the_unseen_rows_before_the_target(asked: list[Any]) -> None:
    asked = [(one, other, [row for row in seen if row != target], target) for one, other, seen, target in asked]
    ones, others, seen, targets = (list(column) for column in zip(*asked, strict=True))
    found_all = retrieved({"one": ones, "other": others}, seen)
    found = found_by(found_all, aimed_at(targets))
    for name, lists in (("one", ones), ("other", others)):
        for number, rows in enumerate(lists):
            unseen = [row for row in dict.fromkeys(rows) if row not in seen[number]]
            expected = unseen.index(targets[number]) if targets[number] in unseen else NOT_FOUND
            assert found[name].places[number] == expected
    for most in range(1, 14):
        best = found_all.candidates.best(most, len(targets))
        kept = set(zip(best.owners.tolist(), best.rows.tolist(), strict=True))
        got = (found[UNION].places >= 0) & (found[UNION].places < most)
        assert got.tolist() == [(number, target) in kept for number, target in enumerate(targets)]


def test_recall_is_of_all_questions_and_says_how_many_a_source_was_asked() -> None:
    places = np.array([0, 49, 50, 199, 200, NOT_FOUND, NOT_FOUND, NOT_FOUND])
    asked = np.arange(8) < 6
    assert recalls({"text": Found(asked, places)}) == {
        "text": {"asked": 0.75, "recall_at_50": 0.25, "recall_at_200": 0.5}
    }
    assert recalls({}) == {}
    assert joined([]) == {}


def test_each_source_is_asked_for_the_question_itself() -> None:
    questions = protocols.prequential(log(), 0.2)

    def every_second(asked: Questions) -> Retrieved:
        rows = [[target] if number % 2 else [(target + 1) % ITEMS] for number, target in
                enumerate(asked.targets.tolist())]  # fmt: skip
        return retrieved({"half": rows, "none": [[] for _ in rows]}, [[] for _ in rows])

    answered = ask(questions, baselines(questions, texts()), ITEMS, every_second)
    share = (len(questions.ends) // 2) / len(questions.ends)
    measured = recalls(answered.found)
    assert {name: found["recall_at_200"] for name, found in measured.items()} == pytest.approx(
        {"half": share, "none": 0.0, UNION: share}
    )
