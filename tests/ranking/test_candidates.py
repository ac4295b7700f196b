"""Candidates of a batch are sets, one a query; arrays only make them quick."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.ranking.candidates import among, member
from workers.ranking.fusion import union

ROWS = st.lists(st.integers(0, 30), max_size=12)
PROPOSALS = st.integers(0, 4).flatmap(
    lambda queries: st.lists(st.lists(ROWS, min_size=queries, max_size=queries), min_size=1, max_size=32)
)


def arrays(lists: list[list[int]]) -> list[np.ndarray]:
    return [np.array(rows, np.int64) for rows in lists]


@given(PROPOSALS)
def test_a_union_has_each_row_once_with_the_bits_of_all_that_proposed_it(proposals: list[list[list[int]]]) -> None:
    found = union([arrays(lists) for lists in proposals])
    expected: dict[tuple[int, int], int] = {}
    for source, lists in enumerate(proposals):
        for owner, rows in enumerate(lists):
            for row in rows:
                expected[owner, row] = expected.get((owner, row), 0) | 1 << source
    got = zip(found.owners.tolist(), found.rows.tolist(), found.sources.tolist(), strict=True)
    assert [((owner, row), bits) for owner, row, bits in got] == sorted(expected.items())


@given(PROPOSALS)
def test_a_union_of_few_rows_of_many_is_that_of_few_rows(proposals: list[list[list[int]]]) -> None:
    weights = [1.0 + number for number in range(len(proposals))]
    dense = union([arrays(lists) for lists in proposals], weights)
    # So far apart that they are sorted, where the others are gathered in bins.
    sparse = union([[rows * 1_000_000 for rows in arrays(lists)] for lists in proposals], weights)
    np.testing.assert_array_equal(sparse.rows, dense.rows * 1_000_000)
    np.testing.assert_array_equal(sparse.owners, dense.owners)
    np.testing.assert_array_equal(sparse.sources, dense.sources)
    np.testing.assert_allclose(sparse.merits, dense.merits, rtol=1e-5)


@given(PROPOSALS)
def test_spans_cut_a_batch_into_its_queries(proposals: list[list[list[int]]]) -> None:
    found = union([arrays(lists) for lists in proposals])
    queries = len(proposals[0])
    for owner, span in enumerate(found.spans(queries)):
        assert set(found.owners[span].tolist()) <= {owner}
        assert set(found.rows[span].tolist()) == {row for lists in proposals for row in lists[owner]}


@given(PROPOSALS, st.integers(1, 6))
def test_the_best_of_a_union_are_those_of_largest_merit(proposals: list[list[list[int]]], most: int) -> None:
    weights = [1.0 + number for number in range(len(proposals))]
    queries = len(proposals[0])
    found = union([arrays(lists) for lists in proposals], weights)
    kept = found.best(most, queries)
    merits = [dict.fromkeys(range(31), 0.0) for _ in range(queries)]
    for weight, lists in zip(weights, proposals, strict=True):
        for owner, rows in enumerate(lists):
            for place, row in enumerate(rows):
                merits[owner][row] += weight / (450 + place)
    for owner, span in enumerate(found.spans(queries)):
        expected = [merits[owner][row] for row in found.rows[span].tolist()]
        np.testing.assert_allclose(found.merits[span], expected, rtol=1e-5)
        mine = kept.merits[kept.owners == owner]
        np.testing.assert_array_equal(np.sort(mine), np.sort(found.merits[span])[-most:])


@given(PROPOSALS, st.data())
def test_among_is_membership_in_ones_own_list(proposals: list[list[list[int]]], data: st.DataObject) -> None:
    found = union([arrays(lists) for lists in proposals])
    queries = len(proposals[0])
    lists = data.draw(st.lists(ROWS, min_size=queries, max_size=queries))
    expected = [row in lists[owner] for owner, row in zip(found.owners, found.rows, strict=True)]
    assert among(found, arrays(lists)).tolist() == expected


@given(ROWS, st.lists(st.integers(0, 30), unique=True).map(sorted))
def test_member_is_isin(rows: list[int], ascending: list[int]) -> None:
    got = member(np.array(rows, np.int64), np.array(ascending, np.int64))
    assert got.tolist() == [row in ascending for row in rows]
