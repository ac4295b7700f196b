"""A trained bundle under test, with and without its second stage."""

from typing import Final

import numpy as np

from streams.settings.ranking import RankingSettings
from workers.ranking.candidates import Candidates, union
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.systems import POPULAR_DAYS, Popularity
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
PROPOSED: Final = RankingSettings().learned_candidates
RELATED: Final = RankingSettings().covisited
"""By the towers and by each kind of evidence, as serving has it: a fusion of ranks needs more than it keeps."""
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

    Args:
        exploration: the setting `ranking.exploration`.

    Raises:
        ValueError: the model has no second stage.
    """

    def __init__(
        self, model: Model, items: ItemTexts, candidates: int = CANDIDATES, exploration: float = 0.0
    ) -> None:
        super().__init__(model, items)
        if model.rescorer is None or model.evidence is None:
            raise ValueError("the model has no second stage")
        self._rescorer, self._evidence = model.rescorer, model.evidence
        self._numbers = model.numbers(items.item_ids)
        self._unmet = model.unmet(items.item_ids)
        self._exploration = (exploration * self._unmet).astype(np.float32)
        self._rows = np.full(model.known_items, -1, np.int64)
        self._rows[self._numbers[self._numbers >= 0]] = np.flatnonzero(self._numbers >= 0)
        self._texts = model.unit_texts(items.text_vectors)
        self._depth = min(PROPOSED, len(items.item_ids))
        self._most = min(candidates, len(items.item_ids))

    def scores(self, questions: Questions) -> Matrix:
        """Return the second stage's scores of the candidates, and the towers' less 1e5 of all others.

        Of each question the candidates' scores are moved together, to the mass that the towers gave them.
        """
        towers = super().scores(questions)
        trails = self._trails(questions)
        unseen = mask_seen(towers.copy(), questions)
        rows, owners, *_ = self._candidates(unseen, questions, trails)
        numbers = self._numbers[rows]
        pairs = Pairs(owners, numbers, rows, self._model.trends[numbers], self._unmet[rows])
        final = self._rescorer.rescore(towers[owners, rows], self._texts, trails, pairs)
        final += self._exploration[rows]
        final = self._with_more(final, questions, owners, rows)
        # The second stage says which candidate comes next if one of them does; that chance is the towers'.
        before, after = np.full((2, *unseen.shape), -np.inf, np.float32)
        before[owners, rows] = unseen[owners, rows]
        after[owners, rows] = np.where(np.isfinite(unseen[owners, rows]), final, -np.inf)
        found = towers - _BELOW
        found[owners, rows] = final + (_mass(before) - _mass(after))[owners, 0]
        return found

    def _with_more(self, final: Matrix, questions: Questions, owners: Integers, rows: Integers) -> Matrix:
        """Return the candidates' scores, float32 (m,), with what a further scorer adds to them: nothing here."""
        return final

    def candidates(self, questions: Questions) -> Candidates:
        """Return what serving would score: of the sources that know the user, or what is popular."""
        unseen = mask_seen(super().scores(questions), questions)
        nobody = np.flatnonzero(questions.ends == questions.starts)
        if len(nobody):
            unseen[nobody] = Popularity(unseen.shape[1], POPULAR_DAYS).scores(questions.part(nobody))
        return self._candidates(unseen, questions, self._trails(questions))

    def _candidates(self, unseen: Matrix, questions: Questions, trails: Trails) -> Candidates:
        rows = questions.log.events.rows
        spans = zip(questions.starts.tolist(), questions.ends.tolist(), strict=True)
        seen = [self._numbers[rows[start:end]] for start, end in spans]

        def named(lists: Neighbours, half_life: float) -> list[Integers]:
            found = related(lists, trails.sources, RELATED, half_life, seen)
            return [self._rows[numbers] for numbers in found]

        proposals = (
            list(best_rows(unseen, self._depth)),
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
