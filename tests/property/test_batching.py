"""Laws of the grouping by token budget."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.batching import batches

LENGTHS = st.lists(st.integers(0, 500), max_size=200)
BUDGETS = st.integers(1, 2_000)


@given(LENGTHS, BUDGETS)
def test_every_text_is_in_exactly_one_group(lengths: list[int], budget: int) -> None:
    groups = batches(lengths, budget)
    assert sorted(position for group in groups for position in group.tolist()) == list(range(len(lengths)))
    assert all(len(group) for group in groups)


@given(LENGTHS, BUDGETS)
def test_no_group_costs_more_than_the_budget_unless_one_text_does(lengths: list[int], budget: int) -> None:
    for group in batches(lengths, budget):
        padded = max(lengths[position] for position in group) * len(group)
        assert padded <= budget or len(group) == 1


@given(LENGTHS, BUDGETS)
def test_groups_run_from_short_to_long_and_keep_the_order_of_equals(lengths: list[int], budget: int) -> None:
    order = [position for group in batches(lengths, budget) for position in group.tolist()]
    assert order == sorted(range(len(lengths)), key=lambda position: (lengths[position], position))


@given(LENGTHS, BUDGETS)
def test_no_group_could_have_taken_the_next_text(lengths: list[int], budget: int) -> None:
    groups = batches(lengths, budget)
    for group, following in pairwise(groups):
        assert lengths[int(following[0])] * (len(group) + 1) > budget


def test_a_budget_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="budget"):
        batches(np.array([1]), 0)
