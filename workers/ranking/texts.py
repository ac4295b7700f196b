"""Items by the vectors of their texts: for users of whom little is known, and for items that are new."""

import numpy as np
import numpy.typing as npt

from index.compaction import Turns
from index.live import LiveIndex
from streams.settings.ranking import IndexSettings
from workers.ranking.catalogue import Catalogue, Rows

Vectors = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]


class TextIndex:
    """The available items of a catalogue by text vector. Does not depend on the model; kept when that changes.

    Args:
        turns: when the index may be laid out anew; None is at any time.
    """

    def __init__(self, catalogue: Catalogue, settings: IndexSettings, turns: Turns | None = None) -> None:
        self._catalogue = catalogue
        rows = np.flatnonzero(catalogue.available[: len(catalogue)])
        vectors = catalogue.text_vectors[rows]
        # Text vectors of one language model share a large mean; a taste shows only without it (.041 against .015).
        self._mean: Vectors = vectors.mean(axis=0) if len(rows) else np.zeros(vectors.shape[1], np.float32)
        self._index = LiveIndex.built(
            rows,
            vectors,
            settings,
            name="texts",
            at_once=True,
            turns=turns,
            source=lambda: catalogue.text_vectors,
        )

    def refresh(self, rows: Rows) -> None:
        """Follow the catalogue; `rows` were put or deleted."""
        here = self._catalogue.available[rows]
        self._index.upsert(rows[here], self._catalogue.text_vectors[rows[here]])
        self._index.remove(rows[~here])

    def around(self, tastes: list[Rows], count: int) -> list[Rows]:
        """Return the rows whose texts are nearest to the mean of each taste's.

        Args:
            tastes: rows of liked items, none of them empty.
            count: rows wanted of each.
        """
        if not len(self._index) or not tastes:
            return [np.zeros(0, np.int64)] * len(tastes)
        means = np.stack([self._catalogue.text_vectors[rows].mean(axis=0) for rows in tastes]) - self._mean
        found = self._index.search(means, min(count, len(self._index)))
        return [keys[keys >= 0] for keys in found.keys]

    def near(self, vector: Vector, count: int) -> Rows:
        """Return the rows whose texts are nearest to one vector, float32 (dimension,), at most `count`."""
        if not len(self._index):
            return np.zeros(0, np.int64)
        keys: Rows = self._index.search(vector[None], min(count, len(self._index))).keys[0]
        return keys[keys >= 0]

    def close(self) -> None:
        """Stop the index's thread."""
        self._index.close()
