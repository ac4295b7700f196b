"""For each item the few others that matter most to it: sparse lists, never an item × item matrix."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workers.ranking.model.signals import Integers

Matrix = npt.NDArray[np.float32]


class Neighbours(NamedTuple):
    """Weighted lists, one a source item.

    Attributes:
        items: int32 (n, k), numbers of known items; -1 fills up.
        weights: float32 (n, k); 0 where `items` is -1.
    """

    items: npt.NDArray[np.int32]
    weights: Matrix


def strongest(weights: Matrix, columns: Integers, k: int) -> Neighbours:
    """Return the `k` entries of each row that are largest by absolute value, zeros left out.

    Args:
        weights: float32 (n, c).
        columns: int64 (c,), the item that each column stands for.
    """
    k = min(k, weights.shape[1])
    places = np.argpartition(-np.abs(weights), k - 1, axis=1)[:, :k] if k else np.zeros((len(weights), 0), int)
    kept = np.take_along_axis(weights, places, axis=1)
    items = np.where(kept != 0, columns[places], -1).astype(np.int32)
    return Neighbours(items, kept.astype(np.float32))


def from_pairs(sources: Integers, targets: Integers, weights: Matrix, items: int, k: int) -> Neighbours:
    """Return the `k` heaviest targets of each of `items` sources.

    Args:
        sources: int64 (p,); each (source, target) once.
        targets: int64 (p,).
        weights: float32 (p,), positive.
    """
    order = np.lexsort((-weights, sources))
    sources, targets, weights = sources[order], targets[order], weights[order]
    place = np.arange(len(sources)) - np.searchsorted(sources, sources, side="left")
    kept = place < k
    width = int(place[kept].max(initial=-1)) + 1
    lists = Neighbours(np.full((items, width), -1, np.int32), np.zeros((items, width), np.float32))
    lists.items[sources[kept], place[kept]] = targets[kept]
    lists.weights[sources[kept], place[kept]] = weights[kept]
    return lists


def stacked(parts: list[Neighbours]) -> Neighbours:
    """Return the lists of all `parts` below each other; shorter ones are filled up."""
    width = max(part.items.shape[1] for part in parts)
    items = [_filled(part.items, width, -1) for part in parts]
    weights = [_filled(part.weights, width, 0) for part in parts]
    return Neighbours(np.concatenate(items), np.concatenate(weights))


def _filled(array: npt.NDArray[Any], width: int, value: int) -> npt.NDArray[Any]:
    return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=value)
