"""Which of a user's own events moved a score: each is dropped, and the score is made again without it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import Interaction, UserState
from workers.ranking.candidates import Candidates, Query, Scored
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.pipeline import Pipeline

Changes = npt.NDArray[np.float32]


class Explanation(NamedTuple):
    """Scores of some items for one user, and what each event of the user has to do with them.

    Attributes:
        query: the user.
        scores: float32 (i,), as they are.
        parts: of each score; they add up to it.
        events: the user's events with known items, oldest first.
        changes: float32 (e, i), how much of each score is gone without each event; negative where the event
            speaks against the item.
    """

    query: Query
    scores: Changes
    parts: list[dict[str, float]]
    events: tuple[Interaction, ...]
    changes: Changes

    def strongest(self, item: int, most: int) -> list[tuple[Interaction, float]]:
        """Return the events that moved the score of number `item` most, and by how much."""
        change = self.changes[:, item]
        order = np.argsort(-np.abs(change), kind="stable")[:most]
        return [(self.events[number], float(change[number])) for number in order.tolist() if change[number]]


def explain(state: UserState, rows: Rows, generation: Generation, pipeline: Pipeline) -> Explanation:
    """Return the scores of `rows` as the pipeline gives them, and what they are without each of the user's events.

    The model reads the history in order, so an event counts with all that it means for those around it. Without
    his only event a user is unknown, and the model has no score for him: it counts as 0.

    Args:
        rows: int64 (i,), each once, in any order.
    """
    row_of = generation.catalogue.row
    events = tuple(past for past in state.history if row_of(past.item_id) is not None)
    histories = [events, *(events[:number] + events[number + 1 :] for number in range(len(events)))]
    queries = pipeline.hydrate([state] * len(histories), histories=histories)
    ascending = np.argsort(rows, kind="stable")
    scored = pipeline.score(queries, _each(rows[ascending], len(queries)))
    back = np.argsort(ascending, kind="stable")
    scores = scored.scores.reshape(len(queries), len(rows))[:, back]
    if len(events) == 1:
        scores[1] = 0
    return Explanation(queries[0], scores[0], _parts(scored, len(rows), back), events, scores[0] - scores[1:])


def _each(rows: Rows, queries: int) -> Candidates:
    """Return the same candidates for every query."""
    owners = np.repeat(np.arange(queries), len(rows))
    return Candidates(
        np.tile(rows, queries), owners, np.zeros(len(owners), np.uint32), np.zeros(len(owners), np.float32)
    )


def _parts(scored: Scored, count: int, back: Rows) -> list[dict[str, float]]:
    """Return the parts of the first `count` scores, those that are something."""
    columns: Sequence[tuple[str, Changes]] = [(name, part[:count][back]) for name, part in scored.parts.items()]
    return [{name: float(column[number]) for name, column in columns if column[number]} for number in range(count)]
