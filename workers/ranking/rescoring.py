"""The second stage at work: the towers' scores, corrected by evidence about each user and candidate."""

from collections.abc import Sequence

import numpy as np

from workers.ranking.candidates import NO_ROWS, Query, Scores
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.model.actions import habits
from workers.ranking.model.features import NEWEST, Pairs, Trails
from workers.ranking.model.worth import check_actions, worth


def rescored(towers: Scores, queries: Sequence[Query], owners: Rows, rows: Rows, generation: Generation) -> Scores:
    """Return the final scores, float32 (m,); `towers` itself where the model has no second stage.

    Args:
        towers: float32 (m,), inner products of user and item.
        queries: users that something is known of.
        owners: int64 (m,), ascending, the query of each candidate.
        rows: int64 (m,), the candidates; each once a query.
    """
    model = generation.model
    if model.rescorer is None or not len(rows):
        return towers
    trails = trails_of(queries, generation)
    used, lines = np.unique(np.concatenate([rows, trails.texts.ravel()]), return_inverse=True)
    absent = int(used[0] < 0)  # histories that are shorter than `NEWEST` end in -1, which stays -1
    texts = model.unit_texts(generation.catalogue.text_vectors[used[absent:]])
    lines = lines.ravel() - absent
    numbers = generation.numbers[rows]
    pairs = Pairs(owners, numbers, lines[: len(rows)], model.trends[numbers], generation.unmet[rows])
    trails = trails._replace(texts=lines[len(rows) :].reshape(trails.texts.shape))
    final: Scores = model.rescorer.rescore(towers, texts, trails, pairs)
    return final


def acted(queries: Sequence[Query], owners: Rows, rows: Rows, generation: Generation) -> dict[str, Scores]:
    """Return what each weighted action adds to the scores, by action, float32 (m,); see `worth`.

    Args:
        queries: users with a vector.
        owners: int64 (m,), the query of each candidate.
        rows: int64 (m,), the candidates.

    Raises:
        DataError: the model foretells nothing of an action that the settings weigh.
    """
    model, weights = generation.model, generation.action_weights
    check_actions(model, weights)
    heads = model.actions
    if heads is None:
        return {}
    newest = [query.signals[-model.history_length :] for query in queries]
    lines = np.repeat(np.arange(len(newest)), [len(signals) for signals in newest])
    of_users = habits(lines, np.concatenate([NO_ROWS, *newest]), len(newest))
    users = np.stack([query.vector for query in queries if query.vector is not None])
    trends = model.trends[generation.numbers[rows]]
    chances = heads.chances(users[owners], generation.item_matrix[rows], trends, of_users[owners])
    return worth(chances, heads.actions, weights)


def trails_of(queries: Sequence[Query], generation: Generation) -> Trails:
    """Return the newest events of each query, with rows of the catalogue as lines of text."""
    rows = np.full((len(queries), NEWEST), -1, np.int64)
    for line, query in zip(rows, queries, strict=True):
        newest = query.history[::-1][:NEWEST]
        line[: len(newest)] = newest
    sources = np.where(rows >= 0, generation.numbers[rows], -1)
    return Trails(sources, rows, np.array([len(query.history) for query in queries], np.int64))
