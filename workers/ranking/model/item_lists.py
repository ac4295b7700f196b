"""What the index is made of, made once with the model and not by every worker: item vectors, and lists of them."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from index.inverted_lists import InvertedLists, TrainedLists
from index.main_tier import most_exact
from streams.settings.ranking import IndexSettings
from workers.ranking.model.signals import Integers
from workers.ranking.model.stored_items import StoredItems, digests
from workers.ranking.model.towers import UNKNOWN, TwoTowers

_AT_ONCE = 65_536


class LaidOut(NamedTuple):
    """A catalogue laid out for the index.

    Attributes:
        stored: its vectors.
        lists: that a large catalogue is searched by; None where so many items are compared one and all.
    """

    stored: StoredItems
    lists: TrainedLists | None


def laid_out(towers: TwoTowers, text_vectors: Tensor, known: Integers, settings: IndexSettings | None) -> LaidOut:
    """Return the item vectors of the whole catalogue, and the lists of a large one.

    Workers take what still holds: vectors change with texts, items come and go.

    Args:
        text_vectors: float32 (n, text_dimension), of every item.
        known: int64 (k,), the rows of those that the towers know by id, in that order; they come first.
        settings: None trains no lists.
    """
    order = in_order(known, len(text_vectors))
    vectors = np.empty((len(order), towers.shape.width), np.float32)
    texts = np.empty(len(order), np.int64)
    for start in range(0, len(order), _AT_ONCE):  # a copy of all text vectors in another order would be large
        chunk = slice(start, start + _AT_ONCE)
        numbers = torch.arange(len(order))[chunk] + 1
        identities = numbers.where(numbers <= len(known), UNKNOWN)
        here = text_vectors[torch.from_numpy(order[chunk])]
        vectors[chunk] = projected(towers, here, identities).numpy()
        texts[chunk] = digests(here.numpy())
    if settings is None or len(order) <= most_exact(settings):
        return LaidOut(StoredItems(vectors, texts), None)
    lists = InvertedLists.built(vectors, settings.recall_target)
    return LaidOut(StoredItems(vectors, texts, lists.assigned), lists.trained)


def in_order(known: Integers, items: int) -> Integers:
    """Return the rows of a catalogue, int64 (items,): known ones, then the others, as `KnownItems` has them."""
    return np.concatenate([known, np.setdiff1d(np.arange(items), known)])


@torch.inference_mode()
def projected(towers: TwoTowers, text_vectors: Tensor, identities: Tensor) -> Tensor:
    """Return item vectors, float32 (n, width), of text vectors (n, text_dimension) and identities int64 (n,)."""
    pairs = zip(text_vectors.split(_AT_ONCE), identities.split(_AT_ONCE), strict=True)
    return torch.cat([towers.eval().item(*pair) for pair in pairs])
