"""A model, the catalogue as that model sees it, and the index over it: one generation, swapped as one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.compaction import Turns
from index.filling import UNASSIGNED, Assigned
from index.live import LiveIndex
from index.looked_up import Held
from streams.settings import Settings
from workers.ranking.catalogue import Catalogue, Rows
from workers.ranking.lookalikes import Lookalikes
from workers.ranking.model.serving import Model
from workers.ranking.neighbours import NeighbourLists
from workers.ranking.texts import TextIndex
from workers.ranking.trends import Trends

Vectors = npt.NDArray[np.float32]
_CHUNK = 65_536


class Generation:
    """Everything that depends on one model. Made whole from the catalogue, then kept in step with it.

    Attributes:
        numbers: int64 (capacity,); an item's number in the model's evidence, -1 where it knows none.
        unmet: bool (capacity,); whether an item came after the model's data.
        known_rows: int64 (known items,); the row of each number, -1 for an item that is not in the catalogue.
        popularity: float32 (capacity,); decayed interactions at the end of the model's data.
        norms: float32 (capacity,); lengths of the rows of `item_matrix`.
        index: holds the rows that are available, by inner product.
        neighbours: of each item, in that index.
        texts: the available rows by text vector; None where neither a source nor a request asks for it.
        trends: what is done with items lately; the same for every model.
        action_weights: of the settings.
        added_scorers: of the settings.
        exploration: of the settings.

    Args:
        before: whose text index is taken over.
        turns: when indexes may be laid out anew; None is at any time.
    """

    def __init__(
        self,
        model: Model,
        catalogue: Catalogue,
        settings: Settings,
        trends: Trends | None = None,
        *,
        before: "Generation | None" = None,
        turns: Turns | None = None,
    ) -> None:
        self._turns = turns
        self.model = model
        self.action_weights = settings.ranking.action_weights
        self.added_scorers = settings.ranking.added_scorers
        self.exploration = settings.ranking.exploration
        self.trends = Trends() if trends is None else trends
        self.catalogue = catalogue
        self._settings = settings
        count = len(catalogue)
        capacity = len(catalogue.available)
        self._vectors: Held[Vectors] = Held(np.zeros((capacity, model.width), np.float32))
        self._assigned: Held[Assigned] = Held(np.full(capacity, UNASSIGNED, np.int32))
        self.numbers = np.full(capacity, -1, np.int64)
        self.unmet = np.zeros(capacity, np.bool_)
        self.known_rows = np.full(model.known_items, -1, np.int64)
        self.norms = np.ones(capacity, np.float32)
        self.popularity = np.zeros(capacity, np.float32)
        for start in range(0, count, _CHUNK):  # a million text vectors at once would be there twice
            self._fill(np.arange(start, min(start + _CHUNK, count)))
        model.rest()
        rows = np.flatnonzero(catalogue.available[:count])
        lists = model.lists
        self.index = LiveIndex.built(
            rows,
            self.item_matrix[rows],
            settings.index,
            at_once=True,
            trained=lists if lists is None else lists._replace(assigned=self._assigned.get),
            turns=turns,
            source=self._vectors.get,
        )
        self.neighbours = NeighbourLists(settings.ranking.neighbours)
        self.texts: TextIndex | None = before.texts if before is not None else self._texts()
        self.lookalikes = Lookalikes(model.version, model.width, catalogue, settings.index, turns)
        self._popular: Rows | None = None
        self._total: float | None = None

    def refresh(self, rows: Sequence[int]) -> None:
        """Bring the learned vectors and the index up to date for rows that were put or deleted."""
        if not len(rows):
            return
        self._grow()
        unique = np.unique(np.asarray(rows, np.int64))
        self._fill(unique)
        here = self.catalogue.available[unique]
        self.index.upsert(unique[here], self.item_matrix[unique[here]])
        self.index.remove(unique[~here])
        self.neighbours.forget(unique)
        if self.texts is not None:
            self.texts.refresh(unique)
        else:  # the catalogue was empty when the model came
            self.texts = self._texts()
        self._popular = self._total = None

    @property
    def item_matrix(self) -> Vectors:
        """Return float32 (capacity, width); a row is an item's learned vector."""
        return self._vectors.rows

    @property
    def popular(self) -> Rows:
        """Return the rows with any popularity, most popular first, int64."""
        if self._popular is None:
            counts = self.popularity[: len(self.catalogue)]
            order = np.argsort(-counts, kind="stable")
            self._popular = order[counts[order] > 0]
        return self._popular

    @property
    def total(self) -> float:
        """Return how often everything is taken together: popularity, and what came since."""
        if self._total is None:
            self._total = float(self.popularity[: len(self.catalogue)].sum())
        return self._total + self.trends.total(self.catalogue)

    def close(self) -> None:
        """Stop the threads of the indexes that no later generation uses."""
        self.index.close()
        self.lookalikes.close()

    def _fill(self, rows: Rows) -> None:
        if not len(rows):
            return
        ids = [self.catalogue.item_id(row) for row in rows.tolist()]
        vectors, self._assigned.rows[rows] = self.model.place(ids, self.catalogue.text_vectors[rows])
        self.item_matrix[rows] = vectors
        self.norms[rows] = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
        self.numbers[rows] = numbers = self.model.numbers(ids)
        self.unmet[rows] = self.model.unmet(ids)
        self.known_rows[numbers[numbers >= 0]] = rows[numbers >= 0]
        self.popularity[rows] = self.model.popularity[numbers]

    def _grow(self) -> None:
        missing = len(self.catalogue.available) - len(self.item_matrix)
        if missing > 0:
            more = np.zeros((missing, self.model.width), np.float32)
            self._vectors.rows = np.concatenate([self.item_matrix, more])
            unassigned = np.full(missing, UNASSIGNED, np.int32)
            self._assigned.rows = np.concatenate([self._assigned.rows, unassigned])
            self.numbers = np.concatenate([self.numbers, np.full(missing, -1, np.int64)])
            self.unmet = np.concatenate([self.unmet, np.zeros(missing, np.bool_)])
            self.norms = np.concatenate([self.norms, np.ones(missing, np.float32)])
            self.popularity = np.concatenate([self.popularity, np.zeros(missing, np.float32)])

    def _texts(self) -> TextIndex | None:
        ranking = self._settings.ranking
        asked = ranking.sources is None or "text" in ranking.sources
        wanted = ranking.requests or (asked and ranking.text_candidates > 0 and ranking.few_events > 0)
        there = wanted and self.catalogue.dimension > 0
        return TextIndex(self.catalogue, self._settings.index, self._turns) if there else None
