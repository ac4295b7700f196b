"""Lists of a large catalogue are trained on the vectors that serving will hold."""

import numpy as np
import torch

from index.inverted_lists import InvertedLists
from streams.settings.ranking import IndexSettings
from workers.ranking.model.item_lists import lists_of, projected
from workers.ranking.model.towers import Shape, TwoTowers

TOWERS = TwoTowers(Shape(text_dimension=8, known_items=700, width=8, layers=1, heads=2, history_length=4), seed=0)
TEXTS = torch.from_numpy(np.random.default_rng(0).standard_normal((1_500, 8)).astype(np.float32))
KNOWN = np.arange(0, 1_400, 2)


def test_lists_fit_the_vectors_that_a_worker_fills_them_with() -> None:
    lists = lists_of(TOWERS, TEXTS, KNOWN, IndexSettings(exact_below=0))
    assert lists is not None
    identities = torch.zeros(1_500, dtype=torch.int64)
    identities[torch.from_numpy(KNOWN)] = torch.arange(700) + 1
    vectors = projected(TOWERS, TEXTS, identities).numpy()
    assert InvertedLists.built(vectors, 0.95, lists).trained is lists


def test_a_catalogue_that_is_compared_one_and_all_gets_none() -> None:
    assert lists_of(TOWERS, TEXTS, KNOWN, IndexSettings(exact_below=1_500)) is None
    assert lists_of(TOWERS, TEXTS, KNOWN, None) is None
