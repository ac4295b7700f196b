"""The lists that a large catalogue is searched by, trained once with the model and not by every worker."""

import numpy as np
import torch
from torch import Tensor

from index.inverted_lists import InvertedLists, TrainedLists
from index.main_tier import most_exact
from streams.settings.ranking import IndexSettings
from workers.ranking.model.signals import Integers
from workers.ranking.model.towers import UNKNOWN, TwoTowers

_AT_ONCE = 65_536


def lists_of(
    towers: TwoTowers, text_vectors: Tensor, known: Integers, settings: IndexSettings | None
) -> TrainedLists | None:
    """Return lists trained on the item vectors of the whole catalogue.

    Workers fill them with the items that there are by then: vectors change with texts, items come and go, and
    filling a million takes a tenth of the time that training does.

    Args:
        text_vectors: float32 (n, text_dimension), of every item.
        known: int64 (k,), the rows of those that the towers know by id, in that order.
        settings: None trains no lists.

    Returns:
        None where so many items are compared one and all.
    """
    if settings is None or len(text_vectors) <= most_exact(settings):
        return None
    identities = np.full(len(text_vectors), UNKNOWN, np.int64)
    identities[known] = np.arange(len(known)) + 1
    vectors = projected(towers, text_vectors, torch.from_numpy(identities)).numpy()
    return InvertedLists.built(vectors, settings.recall_target).trained


@torch.inference_mode()
def projected(towers: TwoTowers, text_vectors: Tensor, identities: Tensor) -> Tensor:
    """Return item vectors, float32 (n, width), of text vectors (n, text_dimension) and identities int64 (n,)."""
    pairs = zip(text_vectors.split(_AT_ONCE), identities.split(_AT_ONCE), strict=True)
    return torch.cat([towers.eval().item(*pair) for pair in pairs])
