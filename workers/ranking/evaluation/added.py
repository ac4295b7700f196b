"""The whole model with one further scorer, as a system of its own beside the model without it."""

import numpy as np

from workers.ranking.evaluation.learned import Reranked
from workers.ranking.evaluation.protocols import Questions
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
