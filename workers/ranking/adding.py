"""The further scorers at work: each adds a part of its own to the model's score."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from streams.errors import DataError
from workers.ranking.candidates import NO_ROWS, Query, Scores
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.model.cross import CrossScorer, best_of, described, history_text, newest_liked
from workers.ranking.model.histories import EventColumns, cut_histories
from workers.ranking.model.isolated import IsolatedAttention
from workers.ranking.model.serving import Model


def check_scorers(model: Model, names: Sequence[str]) -> None:
    """Refuse a model that lacks a scorer which the settings name.

    Raises:
        DataError: `ranking.added_scorers` names one that was not trained.
    """
    if missing := [name for name in names if name not in model.added]:
        raise DataError(
            f"ranking.added_scorers names {', '.join(missing)}, which the model {model.version} does not have; "
            f"it has: {', '.join(model.added) or 'none'}.",
            "take the name out, or train with it among training.stages.",
        )


def isolated(queries: Sequence[Query], owners: Rows, rows: Rows, generation: Generation) -> Scores:
    """Return what attention to the history adds to the scores, float32 (m,); each its own candidate's only.

    Args:
        queries: users with a vector.
        owners: int64 (m,), ascending, the query of each candidate.
        rows: int64 (m,), the candidates.

    Raises:
        DataError: as `check_scorers`.
    """
    model = generation.model
    check_scorers(model, ["isolated"])
    lengths = np.array([len(query.history) for query in queries], np.int64)
    ends = np.cumsum(lengths)
    columns = EventColumns(
        *(
            np.concatenate([NO_ROWS, *parts])
            for parts in zip(*((query.history, query.signals, query.times_ms) for query in queries), strict=True)
        )
    )
    histories = cut_histories(columns, ends - lengths, ends, model.history_length)
    found: Scores = cast(IsolatedAttention, model.isolated).added(generation.item_matrix, histories, owners, rows)
    return found


def cross_encoded(
    scores: Scores, queries: Sequence[Query], owners: Rows, rows: Rows, generation: Generation
) -> Scores:
    """Return what the cross-encoder adds to the scores, float32 (m,): 0 for those that it does not read.

    It reads the best candidates of each user by `scores` and adds nothing below 0, so that the others stay below
    them in the order that they had.

    Args:
        scores: float32 (m,), of everything before it.
        queries: users with a vector.
        owners: int64 (m,), ascending, the query of each candidate.
        rows: int64 (m,), the candidates.

    Raises:
        DataError: as `check_scorers`.
    """
    check_scorers(generation.model, ["cross_encoder"])
    scorer, catalogue = cast(CrossScorer, generation.model.cross), generation.catalogue
    here = best_of(scores, owners, scorer.candidates)

    def text(row: int) -> str:
        entry = catalogue[row]
        return described(entry.title, entry.categories, scorer.template)

    pasts = [
        history_text(
            [text(row) for row in newest_liked(query.history, query.signals, scorer.history_items).tolist()]
        )
        for query in queries
    ]
    found = np.zeros(len(rows), np.float32)
    found[here] = scorer.added(
        [pasts[owner] for owner in owners[here].tolist()], [text(row) for row in rows[here].tolist()]
    )
    return found
