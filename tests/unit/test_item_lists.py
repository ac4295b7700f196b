"""A catalogue is laid out once: its vectors are those that serving would make, its lists are trained on them."""

import numpy as np
import pytest
import torch

from index.inverted_lists import InvertedLists
from streams.settings.ranking import IndexSettings
from workers.ranking.model.item_lists import in_order, laid_out, projected
from workers.ranking.model.stored_items import digests
from workers.ranking.model.towers import Shape, TwoTowers

TOWERS = TwoTowers(Shape(text_dimension=8, known_items=700, width=8, layers=1, heads=2, history_length=4), seed=0)
TEXTS = torch.from_numpy(np.random.default_rng(0).standard_normal((1_500, 8)).astype(np.float32))
KNOWN = np.arange(0, 1_400, 2)
LISTED = IndexSettings(exact_below=0)


def test_known_items_come_first_and_the_others_are_their_texts_alone() -> None:
    stored = laid_out(TOWERS, TEXTS, KNOWN, None).stored
    order = in_order(KNOWN, 1_500)
    assert sorted(order.tolist()) == list(range(1_500))
    identities = torch.cat([torch.arange(700) + 1, torch.zeros(800, dtype=torch.int64)])
    np.testing.assert_array_equal(stored.vectors, projected(TOWERS, TEXTS[order], identities).numpy())
    np.testing.assert_array_equal(stored.digests, digests(TEXTS.numpy())[order])
    assert stored.assigned is None


def test_a_catalogue_in_pieces_is_laid_out_like_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = laid_out(TOWERS, TEXTS, KNOWN, LISTED).stored
    monkeypatch.setattr("workers.ranking.model.item_lists._AT_ONCE", 400)
    pieces = laid_out(TOWERS, TEXTS, KNOWN, LISTED).stored
    np.testing.assert_allclose(pieces.vectors, whole.vectors, atol=1e-5)
    np.testing.assert_array_equal(pieces.digests, whole.digests)


def test_lists_fit_the_vectors_that_a_worker_fills_them_with() -> None:
    stored, lists = laid_out(TOWERS, TEXTS, KNOWN, LISTED)
    assert lists is not None
    filled = InvertedLists.built(stored.vectors, 0.95, lists)
    assert filled.trained is lists
    np.testing.assert_array_equal(stored.assigned, filled.assigned)


def test_a_catalogue_that_is_compared_one_and_all_gets_none() -> None:
    assert laid_out(TOWERS, TEXTS, KNOWN, IndexSettings(exact_below=1_500)).lists is None
    assert laid_out(TOWERS, TEXTS, KNOWN, None).lists is None
