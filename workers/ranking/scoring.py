"""The score of a candidate: the learned model's, or popularity where nothing is known of the user."""

from collections.abc import Sequence

import numpy as np

from workers.ranking.candidates import Query, Scores
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.model.features import NEWEST, Pairs, Trails


def score(queries: Sequence[Query], rows: Sequence[Rows], generation: Generation) -> list[Scores]:
    """Return one float32 (c,) for each query's `rows`, int64 (c,) without repetition; higher is better.

    All candidates of the batch are scored as one array. A score depends on its user and candidate only (to
    1e-5): the towers' product is summed pair by pair, and the re-ranker reads nothing of the other candidates.
    """
    lengths = [len(found) for found in rows]
    flat = np.concatenate([*rows, np.zeros(0, np.int64)])
    owners = np.repeat(np.arange(len(queries)), lengths)
    scores = np.log1p(generation.popularity[flat])
    has_vector = np.array([query.vector is not None for query in queries], np.bool_)
    learned = np.flatnonzero(has_vector[owners]) if len(queries) else np.zeros(0, np.int64)
    if len(learned):
        asked = [query for query in queries if query.vector is not None]
        places = (np.cumsum(has_vector) - 1)[owners[learned]]
        scores[learned] = _learned(asked, places, flat[learned], generation)
    return np.split(scores, np.cumsum(lengths)[:-1]) if lengths else []


def _learned(queries: Sequence[Query], owners: Rows, rows: Rows, generation: Generation) -> Scores:
    users = np.stack([query.vector for query in queries if query.vector is not None])
    vectors = generation.item_matrix[rows]
    towers: Scores = np.einsum("md,md->m", vectors, users[owners])
    rescorer = generation.model.rescorer
    if rescorer is None:
        return towers
    trails = _trails(queries, generation)
    used, lines = np.unique(np.concatenate([rows, trails.texts.ravel()]), return_inverse=True)
    used, lines = used[1:] if used[0] < 0 else used, lines - int(used[0] < 0)  # -1 stays -1
    texts = generation.model.unit_texts(generation.catalogue.text_vectors[used])
    numbers = generation.numbers[rows]
    pairs = Pairs(owners, numbers, lines[: len(rows)], generation.model.trends[numbers])
    trails = trails._replace(texts=lines[len(rows) :].reshape(trails.texts.shape))
    final: Scores = rescorer.rescore(towers, vectors, texts, trails, pairs)
    return final


def _trails(queries: Sequence[Query], generation: Generation) -> Trails:
    """Return the newest events of each query, with rows of the catalogue as lines of text."""
    rows = np.full((len(queries), NEWEST), -1, np.int64)
    for line, query in zip(rows, queries, strict=True):
        newest = query.history[::-1][:NEWEST]
        line[: len(newest)] = newest
    sources = np.where(rows >= 0, generation.numbers[rows], -1)
    return Trails(sources, rows, np.array([len(query.history) for query in queries], np.int64))
