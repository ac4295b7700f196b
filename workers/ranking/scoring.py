"""The score of a candidate: the learned model's, or popularity up to now and here where the user is not known."""

import numpy as np

from workers.ranking.candidates import Query, Scores
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation


def score(query: Query, rows: Rows, generation: Generation) -> Scores:
    """Return float32 (c,); higher is better.

    A score depends on the user and that candidate only: rows are summed one by one, because a matrix product
    may round differently with the number of candidates.
    """
    if query.vector is None:
        # The model's popularity ends with its data; what came since is in the trends.
        lately = generation.trends.weekly(generation.catalogue, rows)
        taken = generation.popularity[rows] + lately
        if query.local is not None and len(rows):
            taken = query.local.popularity(taken, rows, generation.total)
        scores: Scores = np.log1p(taken)
    else:
        scores = (generation.item_matrix[rows] * query.vector).sum(axis=1)
    return scores
