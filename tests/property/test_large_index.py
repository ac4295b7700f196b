"""A large main tier: its recall and scores, compaction in the background, threads, lists trained elsewhere."""

import threading
import time
from collections.abc import Iterator
from unittest.mock import patch

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from index.contract import Vectors
from index.exact import ExactIndex
from index.inverted_lists import InvertedLists, TrainedLists
from index.live import LiveIndex
from index.looked_up import Held, LookedUp
from streams.settings.ranking import IndexSettings

WIDTH = 8


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    faiss.omp_set_num_threads(1)


def vector(seed: int) -> npt.NDArray[np.float32]:
    """Return float32 (WIDTH,), of any length."""
    return np.random.default_rng(seed).standard_normal(WIDTH).astype(np.float32)


def rows(count: int, width: int, seed: int = 0) -> Vectors:
    """Return float32 (count, width) in 100 clusters, of lengths between ½ and 2."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((100, width))
    points = centres[generator.integers(100, size=count)] + 0.5 * generator.standard_normal((count, width))
    points *= generator.uniform(0.5, 2, (count, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32)


@pytest.fixture(scope="module", params=[False, True], ids=["held", "looked up"])
def large(request: pytest.FixtureRequest) -> Iterator[LiveIndex]:
    settings = IndexSettings(exact_below=1_000, recall_target=0.95, fresh_capacity=256)
    vectors = rows(20_000, 32)
    source = (lambda: vectors) if request.param else None
    index = LiveIndex.built(range(20_000), vectors, settings, source=source)
    yield index
    index.close()


def recall(index: LiveIndex, held: dict[int, npt.NDArray[np.float32]]) -> float:
    """Return recall@10 of 200 queries against exact search."""
    queries = rows(200, 32, seed=5)
    oracle = ExactIndex(32)
    oracle.upsert(list(held), np.stack(list(held.values())))
    truth = oracle.search(queries, 10).keys
    found = index.search(queries, 10).keys
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(truth, found, strict=True)]))


def test_an_approximate_main_tier_finds_what_it_was_calibrated_to_find(large: LiveIndex) -> None:
    assert recall(large, dict(enumerate(rows(20_000, 32)))) >= 0.90


def test_its_scores_are_exact_inner_products(large: LiveIndex) -> None:
    queries = rows(5, 32, seed=6)
    found = large.search(queries, 10)
    held = rows(20_000, 32)
    exact = np.einsum("nkd,nd->nk", held[found.keys], queries)
    np.testing.assert_allclose(found.scores, exact, rtol=1e-5, atol=1e-6)


def test_it_fills_every_place_even_when_its_probed_lists_do_not(large: LiveIndex) -> None:
    queries = rows(2, 32, seed=7)
    keep = large.search(queries[:1], 20_000).keys[0][-50:]
    found = large.search(queries, 60, exclude=np.setdiff1d(np.arange(20_000), keep))
    assert all(set(row[:50].tolist()) == set(keep.tolist()) for row in found.keys)
    assert (found.keys[:, 50:] == -1).all()


def test_recall_survives_writes_and_compaction() -> None:
    settings = IndexSettings(exact_below=1_000, recall_target=0.95, fresh_capacity=256)
    held = dict(enumerate(rows(3_000, 32)))
    index = LiveIndex.built(list(held), np.stack(list(held.values())), settings)
    index.remove(range(500))
    for key in range(500):
        del held[key]
    fresh = rows(2_000, 32, seed=8)
    index.upsert(range(2_000, 4_000), fresh)
    held |= dict(zip(range(2_000, 4_000), fresh, strict=True))
    index.close()
    assert recall(index, held) >= 0.90
    index.compact()
    assert len(index) == len(held)
    assert recall(index, held) >= 0.90


def test_an_index_that_looks_vectors_up_holds_none_and_follows_their_matrix_as_it_grows() -> None:
    settings = IndexSettings(exact_below=1_000, recall_target=0.95, fresh_capacity=256)
    matrix = Held(rows(3_000, 32))
    index = LiveIndex.built(range(3_000), matrix.rows, settings, at_once=True, source=matrix.get)
    settle(index)
    held = dict(enumerate(matrix.rows.copy()))
    for start in (2_500, 3_500):
        fresh = rows(1_000, 32, seed=start)
        matrix.rows = np.concatenate([matrix.rows, np.zeros((1_000, 32), np.float32)])
        matrix.rows[start : start + 1_000] = fresh
        index.upsert(range(start, start + 1_000), fresh)
        held |= dict(zip(range(start, start + 1_000), fresh, strict=True))
    removed = range(0, 4_000, 3)
    index.remove(removed)
    held = {key: vector for key, vector in held.items() if key not in removed}
    index.close()
    for _ in range(2):
        main = index._tiers.main._structure
        assert isinstance(main, InvertedLists)
        assert isinstance(main.vectors, LookedUp)
        assert recall(index, held) >= 0.90
        found = index.search(queries := rows(5, 32, seed=6), 10)
        exact = np.einsum("nkd,nd->nk", matrix.rows[found.keys], queries)
        np.testing.assert_allclose(found.scores, exact, rtol=1e-5, atol=1e-6)
        index.compact()
    assert len(index) == len(held)


def settle(index: LiveIndex) -> None:
    """Wait for the background compaction, if one was asked for."""
    thread = index._compactor._thread
    if thread is not None:
        thread.join(timeout=60)


def test_compaction_starts_by_itself_when_sealed_tiers_pile_up() -> None:
    index = LiveIndex(WIDTH, IndexSettings(fresh_capacity=16))
    index.upsert(range(200), np.stack([vector(seed) for seed in range(200)]))
    settle(index)
    assert len(index._tiers.sealed) < 4
    assert index._tiers.main.count >= 64
    assert len(index) == 200


def test_a_failed_compaction_is_logged_and_the_next_one_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    index = LiveIndex(WIDTH, IndexSettings(fresh_capacity=2))
    with patch.object(index, "_build", side_effect=MemoryError("no room")):
        index.upsert(range(20), np.stack([vector(seed) for seed in range(20)]))
        settle(index)
    assert "no room" in caplog.text
    assert index._tiers.main.count == 0
    index.upsert([20], vector(20)[None])
    settle(index)
    assert index._tiers.main.count >= 20
    assert len(index.search(vector(0)[None], 21).keys[0]) == len(index) == 21


@pytest.mark.parametrize("looked_up", [False, True])
def test_beside_writes_and_compaction_nothing_vanishes_and_nothing_comes_back(looked_up: bool) -> None:
    seconds, width, keys, steady = 3.0, 16, 1_500, 100
    held = rows(keys, width)
    source = (lambda: held) if looked_up else None
    index = LiveIndex(width, IndexSettings(fresh_capacity=256), source=source)
    index.upsert(range(keys), held)
    removed: list[float | None] = [None] * keys
    wrong: list[str] = []
    searches = [0, 0]
    stop = threading.Event()

    def read(reader: int) -> None:
        generator = np.random.default_rng(reader)
        try:
            while not stop.is_set():
                began = time.perf_counter()
                # Keys below `steady` are overwritten all the time with the same vector, and never removed.
                key = int(generator.integers(keys if generator.random() < 0.5 else steady))
                found = index.search(held[key][None] * 10, keys).keys[0]
                got = set(found.tolist()) - {-1}
                if len(got) < (found >= 0).sum():
                    wrong.append("a key came twice")
                if missing := set(range(steady)) - got:
                    wrong.append(f"{missing} vanished")
                for ghost in got:
                    gone = removed[ghost]
                    if gone is not None and gone < began:
                        wrong.append(f"{ghost} came back")
                if any(steadfast not in index for steadfast in range(0, steady, 7)):
                    wrong.append("a held key was denied")
                searches[reader] += 1
        except Exception as error:
            wrong.append(repr(error))

    readers = [threading.Thread(target=read, args=(reader,)) for reader in range(2)]
    for reader in readers:
        reader.start()
    generator = np.random.default_rng(3)
    end = time.monotonic() + seconds
    writes = 0
    while time.monotonic() < end:
        key = int(generator.integers(steady, keys))
        if generator.random() < 0.5:
            removed[key] = None
            index.upsert([key], held[key][None])
        else:
            index.remove([key])
            removed[key] = time.perf_counter()
        key = int(generator.integers(steady))
        index.upsert([key], held[key][None])
        writes += 2
        if writes % 200 == 0:
            time.sleep(0.002)  # A writer that never rests starves its readers.
    stop.set()
    for reader in readers:
        reader.join()
    index.close()
    assert not wrong, wrong[:5]
    assert min(searches) > 0
    assert writes > 256  # The fresh tier was sealed at least once.


def test_a_large_index_answers_at_once_and_gets_its_lists_in_the_background() -> None:
    settings, vectors = IndexSettings(exact_below=1_000, recall_target=0.95), rows(3_000, 32)
    held = dict(enumerate(vectors))
    with patch("index.main_tier.InvertedLists.built", side_effect=MemoryError("no room")):
        index = LiveIndex.built(list(held), vectors, settings, at_once=True)
        settle(index)
    assert index._tiers.main.compares_all
    assert recall(index, held) == 1.0
    index.remove([0])
    settle(index)
    assert not index._tiers.main.compares_all
    assert len(index) == 2_999
    assert recall(index, {key: held[key] for key in range(1, 3_000)}) >= 0.90


def test_a_small_index_that_is_there_at_once_asks_for_no_lists() -> None:
    index = LiveIndex.built(range(500), rows(500, 32), IndexSettings(exact_below=1_000), at_once=True)
    assert index._compactor._thread is None
    assert index._tiers.main.compares_all


def test_trained_lists_travel_and_are_filled_instead_of_training() -> None:
    settings, vectors = IndexSettings(exact_below=1_000, recall_target=0.95), rows(3_000, 32)
    first = LiveIndex.built(range(3_000), vectors, settings)._tiers.main.trained
    assert first is not None
    travelled = TrainedLists.of_arrays(first.arrays())
    with patch("index.inverted_lists._train", side_effect=AssertionError("trained again")):
        index = LiveIndex.built(range(3_000), vectors, settings, at_once=True, trained=travelled)
        settle(index)
    assert not index._tiers.main.compares_all
    assert index._tiers.main.trained is travelled
    assert recall(index, dict(enumerate(vectors))) >= 0.90


def test_lists_that_were_trained_for_other_rows_are_not_filled() -> None:
    settings = IndexSettings(exact_below=1_000, recall_target=0.95)
    small = LiveIndex.built(range(1_100), rows(1_100, 32), settings)._tiers.main.trained
    index = LiveIndex.built(range(4_000), rows(4_000, 32), settings, trained=small)
    assert index._tiers.main.trained is not small
