"""The score of a candidate: the learned model's, or popularity up to now where the user is not known."""

from collections.abc import Sequence

import numpy as np

from workers.ranking.candidates import Query, Scores
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.rescoring import rescored


def score(queries: Sequence[Query], rows: Sequence[Rows], generation: Generation) -> list[Scores]:
    """Return one float32 (c,) for each query's `rows`, int64 (c,) without repetition; higher is better.

    All candidates of the batch are scored as one array. A score depends on its user and candidate only (to
    1e-5): the towers' product is summed pair by pair, and the re-ranker reads nothing of the other candidates.
    """
    if not queries:
        return []
    lengths = [len(found) for found in rows]
    flat = np.concatenate(rows)
    owners = np.repeat(np.arange(len(queries)), lengths)
    has_vector = np.array([query.vector is not None for query in queries], np.bool_)
    scores = np.zeros(len(flat), np.float32)
    unknown = np.flatnonzero(~has_vector[owners])
    if len(unknown):
        # The model's popularity ends with its data; what came since is in the trends.
        lately = generation.trends.weekly(generation.catalogue, flat[unknown])
        scores[unknown] = np.log1p(generation.popularity[flat[unknown]] + lately)
    learned = np.flatnonzero(has_vector[owners])
    if len(learned):
        asked = [query for query in queries if query.vector is not None]
        owned_by = (np.cumsum(has_vector) - 1)[owners[learned]]
        scores[learned] = _learned(asked, owned_by, flat[learned], generation)
    return np.split(scores, np.cumsum(lengths)[:-1])


def _learned(queries: Sequence[Query], owners: Rows, rows: Rows, generation: Generation) -> Scores:
    users = np.stack([query.vector for query in queries if query.vector is not None])
    towers: Scores = np.einsum("md,md->m", generation.item_matrix[rows], users[owners])
    return rescored(towers, queries, owners, rows, generation)
