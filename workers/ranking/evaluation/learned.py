"""A trained bundle under test, with and without its second stage."""

from typing import Final

import numpy as np

from workers.ranking.candidates import Candidates, union
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.model.features import NEWEST, Pairs, Trails
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.neighbours import Matrix, Neighbours
from workers.ranking.model.related import COVISITED_HALF_LIFE, EASE_HALF_LIFE, related
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import Integers
from workers.ranking.model.training import ItemTexts
from workers.ranking.sources import EVIDENCE_WEIGHT

CANDIDATES: Final = 200
"""Which the second stage puts in order, as serving does."""
PROPOSED: Final = 400
"""By each source, as serving has it: a fusion of ranks needs more ranks than it keeps."""
_BELOW: Final = np.float32(1e5)


class Towers:
    """The first stage: the inner product of user and item."""

    def __init__(self, model: Model, items: ItemTexts) -> None:
        self._model = model
        self._matrix = model.project(items.item_ids, items.text_vectors)

    def scores(self, questions: Questions) -> Matrix:
        """Return the towers' scores; zeros for an empty history."""
        histories = cut_histories(
            questions.log.events, questions.starts, questions.ends, self._model.history_length
        )
        users = self._model.user_vectors(self._matrix, histories)
        return np.asarray(users @ self._matrix.T)


class Reranked(Towers):
    """Both stages: the best unseen candidates, found as serving finds them, put in order by the second.

    All others stand below, in the towers' order.

    Raises:
        ValueError: the model has no second stage.
    """

    def __init__(self, model: Model, items: ItemTexts, candidates: int = CANDIDATES) -> None:
        super().__init__(model, items)
        if model.rescorer is None or model.evidence is None:
            raise ValueError("the model has no second stage")
        self._rescorer, self._evidence = model.rescorer, model.evidence
        self._numbers = model.numbers(items.item_ids)
        self._rows = np.full(len(model.item_ids), -1, np.int64)
        self._rows[self._numbers[self._numbers >= 0]] = np.flatnonzero(self._numbers >= 0)
        self._texts = model.unit_texts(items.text_vectors)
        self._depth = min(PROPOSED, len(items.item_ids))
        self._most = min(candidates, len(items.item_ids))

    def scores(self, questions: Questions) -> Matrix:
        """Return the second stage's scores of the candidates, and the towers' less 1e5 of all others."""
        towers = super().scores(questions)
        trails = self._trails(questions)
        rows, owners, *_ = self._candidates(towers, questions, trails)
        numbers = self._numbers[rows]
        pairs = Pairs(owners, numbers, rows, self._model.trends[numbers])
        final = self._rescorer.rescore(towers[owners, rows], self._matrix[rows], self._texts, trails, pairs)
        found = towers - _BELOW
        found[owners, rows] = final
        return found

    def candidates(self, questions: Questions) -> Candidates:
        """Return what serving would score, from the three sources that know the user."""
        return self._candidates(super().scores(questions), questions, self._trails(questions))

    def _candidates(self, towers: Matrix, questions: Questions, trails: Trails) -> Candidates:
        unseen = best_rows(mask_seen(towers.copy(), questions), self._depth)
        rows = questions.log.events.rows
        spans = zip(questions.starts.tolist(), questions.ends.tolist(), strict=True)
        seen = [self._numbers[rows[start:end]] for start, end in spans]

        def named(lists: Neighbours, half_life: float) -> list[Integers]:
            found = related(lists, trails.sources, self._depth, half_life, seen)
            return [self._rows[numbers] for numbers in found]

        proposals = (
            list(unseen),
            named(self._evidence.covisited, COVISITED_HALF_LIFE),
            named(self._evidence.ease, EASE_HALF_LIFE),
        )
        return union(proposals, (1.0, EVIDENCE_WEIGHT, EVIDENCE_WEIGHT)).best(self._most, len(unseen))

    def _trails(self, questions: Questions) -> Trails:
        places = questions.ends[:, None] - 1 - np.arange(NEWEST)
        present = places >= questions.starts[:, None]
        rows = np.where(present, questions.log.events.rows[np.maximum(places, 0)], -1)
        return Trails(np.where(present, self._numbers[rows], -1), rows, questions.ends - questions.starts)


def best_rows(scores: Matrix, k: int) -> Integers:
    """Return the k best rows of each line, best first, int64 (n, k)."""
    found = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1).astype(np.int64)


def mask_seen(scores: Matrix, questions: Questions) -> Matrix:
    """Return `scores` with -inf, in place, where a history holds the item."""
    rows = questions.log.events.rows
    for line, start, end in zip(scores, questions.starts.tolist(), questions.ends.tolist(), strict=True):
        line[rows[start:end]] = -np.inf
    return scores
