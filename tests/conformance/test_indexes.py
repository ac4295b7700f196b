"""One suite for every index. `ExactIndex` is the oracle for all of them, itself included."""

from collections.abc import Callable, Iterator

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from index.contract import Neighbours, VectorIndex, Vectors
from index.exact import ExactIndex
from index.live import LiveIndex
from streams.settings.ranking import IndexSettings

WIDTH = 8
SMALL = IndexSettings(fresh_capacity=2)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    faiss.omp_set_num_threads(1)


def exact() -> VectorIndex:
    return ExactIndex(WIDTH)


def live() -> VectorIndex:
    return LiveIndex(WIDTH, SMALL)


def roomy() -> VectorIndex:
    return LiveIndex(WIDTH, IndexSettings())


def bulk() -> VectorIndex:
    return LiveIndex.built([], np.empty((0, WIDTH), dtype=np.float32), SMALL)


@pytest.fixture(params=[exact, live, roomy, bulk], ids=["exact", "live", "roomy", "bulk"])
def index(request: pytest.FixtureRequest) -> Iterator[VectorIndex]:
    make: Callable[[], VectorIndex] = request.param
    made = make()
    yield made
    if isinstance(made, LiveIndex):
        made.close()


def vectors(count: int, seed: int = 0) -> Vectors:
    """Return float32 (count, WIDTH) of many lengths."""
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((count, WIDTH)) * generator.uniform(0.1, 10, (count, 1))
    return rows.astype(np.float32)


def assert_same(found: Neighbours, wanted: Neighbours) -> None:
    assert found.keys.dtype == np.int64
    assert found.scores.dtype == np.float32
    np.testing.assert_array_equal(found.keys, wanted.keys)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4, atol=1e-4)


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    found = index.search(vectors(2), 3)
    assert (found.keys == -1).all()
    assert np.isneginf(found.scores).all()
    assert found.keys.shape == found.scores.shape == (2, 3)
    assert len(index) == 0
    assert 0 not in index
    assert index.remove([1, 2]) == 0


def test_a_search_finds_the_largest_inner_products_and_not_the_nearest_angles(index: VectorIndex) -> None:
    rows = np.zeros((2, WIDTH), dtype=np.float32)
    rows[0, 0] = 1
    rows[1, :2] = 5
    index.upsert([10, 11], rows)
    found = index.search(rows[:1], 2)
    assert found.keys.tolist() == [[11, 10]]
    assert found.scores.tolist() == [[5, 1]]


def test_it_agrees_with_the_oracle_after_any_writes(index: VectorIndex) -> None:
    oracle = ExactIndex(WIDTH)
    generator = np.random.default_rng(7)
    for step in range(36):
        keys = generator.integers(0, 40, size=generator.integers(0, 6))
        if step % 3 == 2:
            assert index.remove(keys) == oracle.remove(keys)
        else:
            rows = vectors(len(keys), seed=step)
            index.upsert(keys, rows)
            oracle.upsert(keys, rows)
        if isinstance(index, LiveIndex) and step % 12 == 11:
            index.compact()
        queries = vectors(3, seed=1_000 + step)
        excluded = generator.integers(0, 60, size=5)
        for k in (1, 5, 100):
            assert_same(index.search(queries, k), oracle.search(queries, k))
            assert_same(index.search(queries, k, excluded), oracle.search(queries, k, excluded))
        assert len(index) == len(oracle)
        assert [key in index for key in range(40)] == [key in oracle for key in range(40)]


def test_more_neighbours_than_keys_leave_the_rest_empty(index: VectorIndex) -> None:
    index.upsert([3, 4], vectors(2))
    found = index.search(vectors(1, seed=1), 5)
    assert set(found.keys[0, :2].tolist()) == {3, 4}
    assert (found.keys[0, 2:] == -1).all()
    assert np.isneginf(found.scores[0, 2:]).all()


def test_the_last_vector_of_a_key_wins_within_a_call(index: VectorIndex) -> None:
    rows = vectors(4)
    index.upsert([5, 6, 5, 5], rows)
    assert len(index) == 2
    found = index.search(rows[:1], 2)
    wanted = {5: float(rows[0] @ rows[3]), 6: float(rows[0] @ rows[1])}
    assert dict(zip(found.keys[0].tolist(), found.scores[0].tolist(), strict=True)) == pytest.approx(wanted)


def test_an_overwritten_key_has_its_new_vector_only(index: VectorIndex) -> None:
    rows = vectors(10)
    for row in rows:
        index.upsert([1], row[None])
    assert len(index) == 1
    found = index.search(rows[:1], 10)
    assert found.keys[0].tolist() == [1] + [-1] * 9
    assert found.scores[0, 0] == pytest.approx(float(rows[0] @ rows[9]), rel=1e-5)


def test_a_removed_key_is_never_returned_until_it_is_back(index: VectorIndex) -> None:
    rows = vectors(6)
    index.upsert(range(6), rows)
    assert index.remove([2, 2, 99, -5]) == 1
    assert index.remove([2]) == 0
    assert 2 not in index
    assert 2 not in index.search(rows, 6).keys
    index.upsert([2], rows[2:3])
    assert (index.search(rows, 6).keys == 2).any(axis=1).all()


def test_an_excluded_key_makes_room_for_the_next_one(index: VectorIndex) -> None:
    rows = vectors(20)
    index.upsert(range(20), rows)
    best = index.search(rows[:1], 20).keys[0].tolist()
    found = index.search(rows[:1], 3, exclude=[*best[:4], 77, -3])
    assert found.keys[0].tolist() == best[4:7]
    assert (index.search(rows[:1], 3, exclude=range(20)).keys == -1).all()


def test_equal_vectors_are_all_found_and_ties_cost_no_place(index: VectorIndex) -> None:
    row = vectors(1)
    index.upsert(range(9), np.repeat(row, 9, axis=0))
    assert set(index.search(row, 9).keys[0].tolist()) == set(range(9))
    found = index.search(row, 4)
    assert len(set(found.keys[0].tolist()) - {-1}) == 4
    np.testing.assert_allclose(found.scores, float(row[0] @ row[0]), rtol=1e-5)


def test_the_zero_vector_is_a_vector(index: VectorIndex) -> None:
    index.upsert([1], np.zeros((1, WIDTH), dtype=np.float32))
    assert index.search(vectors(1), 2).keys.tolist() == [[1, -1]]


def test_large_keys_are_kept_whole(index: VectorIndex) -> None:
    largest = 2**63 - 1
    index.upsert([largest, 2**62], vectors(2))
    assert set(index.search(vectors(1), 2).keys[0].tolist()) == {largest, 2**62}


def test_no_queries_give_no_rows(index: VectorIndex) -> None:
    index.upsert([1, 2, 3], vectors(3))
    assert index.search(np.empty((0, WIDTH), dtype=np.float32), 4).keys.shape == (0, 4)


def test_the_caller_may_reuse_its_arrays(index: VectorIndex) -> None:
    rows = vectors(3)
    kept = rows.copy()
    keys = np.arange(3)
    index.upsert(keys, rows)
    rows[:] = 0
    keys[:] = 9
    assert_same(index.search(kept, 3), _oracle(kept).search(kept, 3))


def _oracle(rows: Vectors) -> ExactIndex:
    oracle = ExactIndex(WIDTH)
    oracle.upsert(range(len(rows)), rows)
    return oracle


NAN = np.full((1, WIDTH), np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("keys", "rows"),
    [
        ([1], NAN),
        ([1], np.full((1, WIDTH), np.inf, dtype=np.float32)),
        ([1], np.full((1, WIDTH), 1e300)),
        ([1, 2], np.vstack([np.ones((1, WIDTH), dtype=np.float32), NAN])),
        ([-1], vectors(1)),
        ([3, -1], vectors(2)),
        ([1, 2], vectors(1)),
        ([], vectors(1)),
        ([1], vectors(1)[:, :4]),
        ([1], vectors(1)[0]),
        ([[1]], vectors(1)),
        ([1.5], vectors(1)),
        ([2**63], vectors(1)),
        ([2**70], vectors(1)),
        (["1"], vectors(1)),
    ],
)
def test_a_refused_write_changes_nothing(
    index: VectorIndex, keys: list[int], rows: npt.NDArray[np.float32]
) -> None:
    before = vectors(4, seed=3)
    index.upsert(range(4), before)
    with pytest.raises(ValueError, match=r"key|vectors"):
        index.upsert(keys, rows)
    assert len(index) == 4
    assert_same(index.search(before, 9), _oracle(before).search(before, 9))


@pytest.mark.parametrize(
    ("queries", "k"),
    [(vectors(1), 0), (vectors(1), -1), (vectors(1)[:, :4], 1), (vectors(1)[0], 1), (NAN, 1)],
)
def test_a_search_that_makes_no_sense_is_refused(index: VectorIndex, queries: Vectors, k: int) -> None:
    index.upsert([1], vectors(1))
    with pytest.raises(ValueError, match=r"k must be|queries"):
        index.search(queries, k)
