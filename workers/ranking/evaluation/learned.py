"""A trained bundle under test, with and without its second stage."""

from typing import Final

import numpy as np

from workers.ranking.evaluation.protocols import Questions
from workers.ranking.model.features import NEWEST, Pairs, Trails
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import Integers
from workers.ranking.model.training import ItemTexts

CANDIDATES: Final = 200
"""Of the towers, which the second stage puts in order, as serving does."""
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
    """Both stages: the towers' best unseen candidates, put in order by the second; all others stand below.

    Raises:
        ValueError: the model has no second stage.
    """

    def __init__(self, model: Model, items: ItemTexts, candidates: int = CANDIDATES) -> None:
        super().__init__(model, items)
        if model.rescorer is None:
            raise ValueError("the model has no second stage")
        self._rescorer = model.rescorer
        self._numbers = model.numbers(items.item_ids)
        self._texts = model.unit_texts(items.text_vectors)
        self._candidates = min(candidates, len(items.item_ids))

    def scores(self, questions: Questions) -> Matrix:
        """Return the second stage's scores of the candidates, and the towers' less 1e5 of all others.

        Of each question the candidates' scores are moved together, to the mass that the towers gave them.
        """
        towers = super().scores(questions)
        unseen = mask_seen(towers.copy(), questions)
        count = len(questions.ends)
        best = np.sort(np.argpartition(-unseen, self._candidates - 1, axis=1)[:, : self._candidates], axis=1)
        rows: Integers = best.ravel().astype(np.int64)
        owners = np.repeat(np.arange(count), self._candidates)
        numbers = self._numbers[rows]
        pairs = Pairs(owners, numbers, rows, self._model.trends[numbers])
        final = self._rescorer.rescore(
            towers[owners, rows], self._matrix[rows], self._texts, self._trails(questions), pairs
        ).reshape(best.shape)
        before = np.take_along_axis(unseen, best, axis=1)
        # The second stage says which candidate comes next if one of them does; that chance is the towers'.
        final += _mass(before) - _mass(np.where(np.isfinite(before), final, -np.inf))
        found = towers - _BELOW
        np.put_along_axis(found, best, final, axis=1)
        return found

    def _trails(self, questions: Questions) -> Trails:
        places = questions.ends[:, None] - 1 - np.arange(NEWEST)
        present = places >= questions.starts[:, None]
        rows = np.where(present, questions.log.events.rows[np.maximum(places, 0)], -1)
        return Trails(np.where(present, self._numbers[rows], -1), rows, questions.ends - questions.starts)


def mask_seen(scores: Matrix, questions: Questions) -> Matrix:
    """Return `scores` with -inf, in place, where a history holds the item."""
    rows = questions.log.events.rows
    for line, start, end in zip(scores, questions.starts.tolist(), questions.ends.tolist(), strict=True):
        line[rows[start:end]] = -np.inf
    return scores


def probabilities(scores: Matrix) -> Matrix:
    """Return what `Towers` or `Reranked` say is each item's chance to come next, float32 (n, items).

    Args:
        scores: of either, with -inf where an item cannot come next; a row needs one that can.
    """
    odds = np.where(scores < -_BELOW / 2, scores + _BELOW, scores)
    found: Matrix = np.exp(odds - _mass(odds))
    return found


def _mass(scores: Matrix) -> Matrix:
    """Return the logarithm of the sum of exp(scores), float32 (n, 1); 0 where nothing is possible."""
    top = scores.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, np.float32(0))
    sums = np.exp(scores - top).sum(axis=1, keepdims=True)
    return np.asarray(top + np.log(np.where(sums > 0, sums, 1)), np.float32)
