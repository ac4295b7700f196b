"""Counts the training data for the re-ranker, once with all users and once without each group of them."""

from typing import Final, NamedTuple, Self

import numpy as np

from streams.settings.training import TrainingSettings
from workers.ranking.model.covisitation import covisitation_lists
from workers.ranking.model.ease import RIDGE, ease_lists, gram
from workers.ranking.model.features import NEWEST, Evidence, Pairs, Trails
from workers.ranking.model.neighbours import Matrix, stacked
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.trends import Trends

LIST_BYTES: Final = 4_000_000_000
"""Most bytes of all lists, those without a group of users included; beyond, they are cut shorter."""
_BYTES_A_NEIGHBOUR: Final = 8
_KINDS: Final = len(Evidence._fields)


def list_length(items: int, settings: TrainingSettings) -> int:
    """Return how many neighbours of an item are kept while training: the setting, or what memory allows."""
    a_neighbour = _BYTES_A_NEIGHBOUR * _KINDS * (settings.folds + 1) * items
    return max(1, min(settings.neighbours, LIST_BYTES // a_neighbour))


class Counted(NamedTuple):
    """Evidence from the data, and how to look it up for any event of it.

    Attributes:
        whole: of all users; what serving uses.
        crossed: `folds` blocks of lists, one without each group of users, for training on that group.
        folds: int64 (e,), the group of each event's user.
        trends: of the same events.
        texts: float32 (known items, d), centred, unit length.
    """

    whole: Evidence
    crossed: Evidence
    folds: Integers
    trends: Trends
    texts: Matrix

    @classmethod
    def of(cls, sequences: Sequences, texts: Matrix, settings: TrainingSettings) -> Self:
        """Count `sequences`, whose rows are numbers of known items."""
        rows, items = sequences.events.rows, len(texts)
        users = np.unique(sequences.starts, return_inverse=True)[1]
        folds = users % settings.folds
        taken = np.bincount(rows, minlength=items)
        head = np.sort(np.argsort(-taken, kind="stable")[: settings.neighbour_head])
        everyone, kept_of_each = gram(users, rows, head), list_length(items, settings)

        def count(kept: Integers, without: Matrix | None) -> Evidence:
            counts = everyone if without is None else everyone - without
            ridge = RIDGE * (1 if without is None else (settings.folds - 1) / settings.folds)
            return Evidence(
                ease_lists(counts, head, items, kept_of_each, ridge),
                covisitation_lists(users[kept], rows[kept], items, kept_of_each),
            )

        parts = []
        for fold in range(settings.folds):
            inside = folds == fold
            parts.append(count(np.flatnonzero(~inside), gram(users[inside], rows[inside], head)))
        crossed = Evidence(stacked([part.ease for part in parts]), stacked([part.covisited for part in parts]))
        trends = Trends(rows, sequences.events.signals, sequences.events.times_ms, items)
        return cls(count(np.arange(len(rows)), None), crossed, folds, trends, texts)

    def trails(self, sequences: Sequences, ends: Integers, *, crossed: bool) -> Trails:
        """Return what the users had done before the events `ends`, int64 (n,), of `sequences`."""
        starts = sequences.starts[ends]
        places = ends[:, None] - 1 - np.arange(NEWEST)
        present = places >= starts[:, None]
        rows = np.where(present, sequences.events.rows[np.maximum(places, 0)], -1)
        sources = rows
        if crossed:
            sources = np.where(present, rows + self.folds[ends][:, None] * len(self.texts), -1)
        return Trails(sources, rows, ends - starts)

    def pairs(self, owners: Integers, items: Integers, snapshots: Integers) -> Pairs:
        """Return pairs of known items; `snapshots` int64 (m,) says as of when."""
        met = np.zeros(len(items), np.bool_)
        return Pairs(owners, items, items, self.trends.values[snapshots, items], met)
