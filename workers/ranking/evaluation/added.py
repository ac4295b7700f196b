"""The whole model with one further scorer, as a system of its own beside the model without it."""

import numpy as np

from workers.ranking.evaluation.learned import Reranked
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.model.cross import best_of, history_text, newest_liked
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.signals import Integers


class WithIsolated(Reranked):
    """Both stages and the candidate-isolated attention, which must have been trained."""

    def _with_more(self, final: Matrix, questions: Questions, owners: Integers, rows: Integers) -> Matrix:
        scorer = self._model.isolated
        if scorer is None:
            raise ValueError("the model has no isolated attention")
        asked, owners_of_asked, here = with_history(questions, owners)
        histories = cut_histories(asked.log.events, asked.starts, asked.ends, self._model.history_length)
        found = final.copy()
        found[here] += scorer.added(self._matrix, histories, owners_of_asked, rows[here])
        return found


class WithCrossEncoder(Reranked):
    """Both stages and the cross-encoder, which reads the best candidates alone.

    Raises:
        ValueError: the model was made without it, or the items have no texts.
    """

    def __init__(self, retrieval: Retrieval) -> None:
        super().__init__(retrieval)
        model, items = retrieval.model, retrieval.items
        if model.cross is None or len(items.texts) != len(items.item_ids):
            raise ValueError("the model has no cross-encoder, or the items have no texts")
        self._cross, self._texts_of = model.cross, items.texts

    def _with_more(self, final: Matrix, questions: Questions, owners: Integers, rows: Integers) -> Matrix:
        asked, owners_of_asked, here = with_history(questions, owners)
        best = best_of(final[here], owners_of_asked, self._cross.candidates)
        events = asked.log.events
        pasts = []
        for start, end in zip(asked.starts.tolist(), asked.ends.tolist(), strict=True):
            newest = newest_liked(events.rows[start:end], events.signals[start:end], self._cross.history_items)
            pasts.append(history_text([self._texts_of[row] for row in newest.tolist()]))
        found = final.copy()
        found[here[best]] += self._cross.added(
            [pasts[owner] for owner in owners_of_asked[best].tolist()],
            [self._texts_of[row] for row in rows[here[best]].tolist()],
        )
        return found


def with_history(questions: Questions, owners: Integers) -> tuple[Questions, Integers, Integers]:
    """Return the questions with a history, and the candidates of those alone.

    Args:
        owners: int64 (m,), ascending, the question of each candidate.

    Returns:
        the questions; int64 (k,), which of them each kept candidate belongs to; int64 (k,), its place in `owners`.
    """
    known = questions.ends > questions.starts
    here = np.flatnonzero(known[owners])
    return questions.part(np.flatnonzero(known)), (np.cumsum(known) - 1)[owners[here]], here
