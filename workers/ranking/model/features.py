"""What the re-ranker knows of a user and a candidate, as one row of numbers; training and serving share it.

Nothing here depends on the other candidates, and nothing is later than the newest event of the history.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workers.ranking.model.neighbours import Matrix, Neighbours
from workers.ranking.model.signals import Integers
from workers.ranking.model.trends import TRENDS

EASE_HALF_LIVES: Final = (1.2, 5.0, 20.0)
COVISITED_HALF_LIVES: Final = (2.0,)
TEXT_HALF_LIFE: Final = 5.0
"""All in events: how many later ones take half of an event's weight."""
TEXT_TEMPERATURE: Final = 0.1
NEWEST: Final = 30
"""Events of a history that neighbours are looked up for; older ones weigh little by any half-life."""
NAMES: Final = (
    *(f"ease_{half_life:g}" for half_life in EASE_HALF_LIVES),
    *(f"covisited_{half_life:g}" for half_life in COVISITED_HALF_LIVES),
    "text",
    "popular_1d",
    "popular_7d",
    "popular_all",
    "rating",
    "events",
    "taste",
    "unmet",
)
_TABLE_PLACES: Final = 4_000_000
_TRENDS_AT: Final = NAMES.index("popular_1d")


class Evidence(NamedTuple):
    """What was counted in the training data, by number of the known item.

    Attributes:
        ease: lists of EASE weights.
        covisited: lists of ordered co-visitation.
    """

    ease: Neighbours
    covisited: Neighbours


class Trails(NamedTuple):
    """The newest events of n users, newest first.

    Attributes:
        sources: int64 (n, l), numbers of the evidence's lists; -1 where there is none.
        texts: int64 (n, l), lines of the text vectors; -1 where there is none.
        events: int64 (n,), events of the history: the whole in training, what the state holds in serving (ADR 8).
    """

    sources: Integers
    texts: Integers
    events: Integers


class Pairs(NamedTuple):
    """Users and their candidates.

    Attributes:
        owners: int64 (m,), ascending, lines of `Trails`.
        items: int64 (m,), numbers of known items, -1 for an unknown one; each once an owner, but for -1.
        texts: int64 (m,), lines of the text vectors.
        trends: float32 (m, TRENDS), of the candidates.
        unmet: bool (m,), candidates that nobody can have acted on: that there is no evidence says nothing.
    """

    owners: Integers
    items: Integers
    texts: Integers
    trends: Matrix
    unmet: npt.NDArray[np.bool_]


def features(evidence: Evidence, known_items: int, texts: Matrix, trails: Trails, pairs: Pairs) -> Matrix:
    """Return float32 (m, len(NAMES)), each row independent of the others.

    Args:
        texts: float32 (k, d), centred text vectors of unit length, see `unit_texts`.
    """
    found = np.zeros((len(pairs.owners), len(NAMES)), np.float32)
    lookup = _Lookup(pairs, len(trails.sources), known_items)
    for kind, half_lives in (("ease", EASE_HALF_LIVES), ("covisited", COVISITED_HALF_LIVES)):
        sums = lookup.sums(getattr(evidence, kind), trails.sources, half_lives)
        for half_life, values in zip(half_lives, sums, strict=True):
            found[:, NAMES.index(f"{kind}_{half_life:g}")] = values
    for name, values in zip(("text", "taste"), _texts(texts, trails, pairs), strict=True):
        found[:, NAMES.index(name)] = values
    found[:, _TRENDS_AT : _TRENDS_AT + TRENDS] = pairs.trends
    found[:, NAMES.index("events")] = np.log1p(trails.events)[pairs.owners]
    found[:, NAMES.index("unmet")] = pairs.unmet
    return found


class _Lookup:
    """Finds the pair of an owner and an item: by a table where that is small, else by search."""

    def __init__(self, pairs: Pairs, owners: int, known_items: int) -> None:
        self._pairs, self._width = len(pairs.owners), known_items + 1
        known = np.flatnonzero(pairs.items >= 0)
        keys = pairs.owners[known] * self._width + pairs.items[known] + 1  # an owner's first key is no item's
        self._table: npt.NDArray[np.int32] | None = None
        if owners * self._width <= _TABLE_PLACES:
            self._table = np.full(owners * self._width, -1, np.int32)
            self._table[keys] = known
        else:
            order = np.argsort(keys)
            self._keys, self._places = keys[order], known[order]

    def sums(self, lists: Neighbours, sources: Integers, half_lives: tuple[float, ...]) -> Iterator[Matrix]:
        """Yield one float32 (m,) a half-life: each pair's weights in the lists of its owner's events."""
        owners, ages = np.nonzero(sources >= 0)
        read = sources[owners, ages]
        places = self._find(owners[:, None] * self._width + lists.items[read] + 1)
        lines, columns = np.nonzero(places >= 0)
        places = places[lines, columns]
        weights = lists.weights[read[lines], columns].astype(np.float64)
        for half_life in half_lives:
            decayed = weights * (0.5 ** (ages / half_life))[lines]
            yield np.bincount(places, decayed, minlength=self._pairs).astype(np.float32)

    def _find(self, keys: Integers) -> Integers | npt.NDArray[np.int32]:
        """Return the pair of each key, -1 for none, in the shape of `keys`."""
        if self._table is not None:
            return self._table[keys]
        if not len(self._keys):
            return np.full(keys.shape, -1, np.int64)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._places[at], -1)


def _texts(texts: Matrix, trails: Trails, pairs: Pairs) -> tuple[Matrix, Matrix]:
    """Return a candidate's nearness to the history, twice float32 (m,).

    By a kernel, so that one match counts; and to the mean of the history, a cosine.
    """
    age = np.arange(trails.texts.shape[1])
    decay = np.where(trails.texts >= 0, 0.5 ** (age / TEXT_HALF_LIFE), 0).astype(np.float32)
    starts = np.searchsorted(pairs.owners, np.arange(len(trails.texts) + 1)).tolist()
    near, taste = np.zeros((2, len(pairs.owners)), np.float32)
    for owner, (start, end) in enumerate(pairwise(starts)):
        cosine = texts[pairs.texts[start:end]] @ texts[trails.texts[owner]].T
        near[start:end] = np.exp((cosine - 1) / TEXT_TEMPERATURE) @ decay[owner]
        mean = decay[owner] @ texts[trails.texts[owner]]
        taste[start:end] = cosine @ decay[owner] / max(float(np.linalg.norm(mean)), 1e-12)
    return near, taste


def unit_texts(text_vectors: Matrix, mean: Matrix) -> Matrix:
    """Return text vectors centred on `mean`, float32 (d,), and of unit length, float32 (k, d)."""
    centred = text_vectors - mean
    units: Matrix = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return units
