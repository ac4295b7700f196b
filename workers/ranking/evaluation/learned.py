"""A trained bundle under test, with and without its second stage."""

from typing import Final

import numpy as np

from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import Integers
from workers.ranking.model.training import ItemTexts
from workers.ranking.rescoring import rescored

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
    """Both stages: the candidates that serving finds, put in order by the second as it stands in serving.

    All others stand below, in the towers' order.

    Args:
        retrieval: finds the candidates; says how many are kept, and what exploration adds.

    Raises:
        ValueError: the model has no second stage.
    """

    def __init__(self, retrieval: Retrieval) -> None:
        model, items, ranking = retrieval.model, retrieval.items, retrieval.settings.ranking
        super().__init__(model, items)
        if model.rescorer is None or model.evidence is None:
            raise ValueError("the model has no second stage")
        self._retrieval, self._most = retrieval, ranking.candidates
        self._exploration = (ranking.exploration * model.unmet(items.item_ids)).astype(np.float32)

    def scores(self, questions: Questions) -> Matrix:
        """Return the second stage's scores of the candidates, and the towers' less 1e5 of all others.

        Of each question the candidates' scores are moved together, to the mass that the towers gave them.
        """
        towers = super().scores(questions)
        unseen = mask_seen(towers.copy(), questions)
        retrieved = self._retrieval(questions)
        rows, owners, *_ = retrieved.candidates.best(self._most, len(towers))
        final = rescored(towers[owners, rows], retrieved.queries, owners, rows, self._retrieval.generation)
        final += self._exploration[rows]
        final = self._with_more(final, questions, owners, rows)
        # The second stage says which candidate comes next if one of them does; that chance is the towers'.
        before, after = np.full((2, *unseen.shape), -np.inf, np.float32)
        before[owners, rows] = unseen[owners, rows]
        after[owners, rows] = final
        found = towers - _BELOW
        found[owners, rows] = final + (_mass(before) - _mass(after))[owners, 0]
        return found

    def _with_more(self, final: Matrix, questions: Questions, owners: Integers, rows: Integers) -> Matrix:
        """Return the candidates' scores, float32 (m,), with what a further scorer adds to them: nothing here."""
        return final


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
