"""Rows whose list is known lie where rows lie that were searched for."""

from collections.abc import Callable
from unittest.mock import patch

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.contract import Vectors
from index.filling import UNASSIGNED, Assigned, assigned_in, fill
from index.inverted_lists import InvertedLists, TrainedLists
from index.live import LiveIndex
from streams.settings.ranking import IndexSettings

ROWS = np.random.default_rng(0).standard_normal((3_000, 8)).astype(np.float32)
LISTED = IndexSettings(exact_below=1_000, fresh_capacity=256)
BUILT = InvertedLists.built(ROWS, 0.95)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    faiss.omp_set_num_threads(1)


def of(index: LiveIndex) -> InvertedLists:
    lists = index._tiers.main._structure
    assert isinstance(lists, InvertedLists)
    return lists


def given_lists(assigned: Assigned) -> TrainedLists:
    return BUILT.trained._replace(assigned=lambda: assigned)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 400), known=st.floats(0, 1), pieces=st.integers(1, 4))
def test_an_index_holds_the_same_bytes_whatever_is_known(seed: int, count: int, known: float, pieces: int) -> None:
    draws = np.random.default_rng(seed)
    rows = draws.permutation(len(ROWS))[:count]
    assigned = np.where(draws.random(count) < known, BUILT.assigned[rows], np.int32(UNASSIGNED))
    searched, told = (faiss.clone_index(BUILT.trained.index) for _ in range(2))
    for part in np.array_split(np.arange(count), pieces):
        fill(searched, ROWS[rows][part])
        fill(told, ROWS[rows][part], assigned[part])
    np.testing.assert_array_equal(faiss.serialize_index(told), faiss.serialize_index(searched))
    np.testing.assert_array_equal(assigned_in(told), BUILT.assigned[rows])


def test_every_row_lies_in_the_list_whose_centre_is_nearest() -> None:
    centres = BUILT.trained.index.quantizer.reconstruct_n(0, BUILT.trained.lists)
    np.testing.assert_array_equal(BUILT.assigned, np.argmax(ROWS @ centres.T, axis=1))


def test_no_list_is_searched_for_where_all_are_known() -> None:
    told = faiss.clone_index(BUILT.trained.index)
    with patch.object(type(told.quantizer), "search", side_effect=AssertionError("it was searched for")):
        fill(told, ROWS, BUILT.assigned)
        assert told.ntotal == len(ROWS)
        one_unknown = np.append(BUILT.assigned[1:], np.int32(UNASSIGNED))
        with pytest.raises(AssertionError, match="searched for"):
            fill(told, ROWS, one_unknown)


@pytest.mark.parametrize("looked_up", [False, True])
def test_a_live_index_takes_lists_by_key_and_searches_for_those_of_changed_vectors(looked_up: bool) -> None:
    matrix, assigned = ROWS.copy(), BUILT.assigned.copy()
    source: Callable[[], Vectors] | None = (lambda: matrix) if looked_up else None
    keys = np.arange(0, 3_000, 2)
    index = LiveIndex.built(keys, matrix[keys], LISTED, trained=given_lists(assigned), source=source)
    np.testing.assert_array_equal(of(index).assigned, BUILT.assigned[keys])
    matrix[:100], assigned[:100] = ROWS[100:200], UNASSIGNED
    index.upsert(np.arange(100), matrix[:100])
    index.remove(np.arange(200, 300))
    index.compact()
    held = np.union1d(np.arange(100), keys[(keys < 200) | (keys >= 300)])
    wanted = np.concatenate([BUILT.assigned[100:200], BUILT.assigned[100:]])
    np.testing.assert_array_equal(of(index).assigned, wanted[held])
    assert of(index).trained.assigned is not None, "the next compaction knows them too"


def test_rows_that_come_in_chunks_are_told_their_own_lists() -> None:
    with patch("index.inverted_lists._CHUNK_ROWS", 700):
        filled = InvertedLists.built(ROWS[::-1].copy(), 0.95, BUILT.trained, BUILT.assigned[::-1])
    assert filled.trained is BUILT.trained
    np.testing.assert_array_equal(filled.assigned, BUILT.assigned[::-1])


def test_lists_that_were_trained_anew_are_searched_for_all() -> None:
    few = given_lists(np.zeros(3_000, np.int32))._replace(rows=len(ROWS) // 3)
    index = LiveIndex.built(range(3_000), ROWS, LISTED, trained=few)
    anew = LiveIndex.built(range(3_000), ROWS, LISTED)
    np.testing.assert_array_equal(of(index).assigned, of(anew).assigned)
    assert of(index).trained.assigned is None
