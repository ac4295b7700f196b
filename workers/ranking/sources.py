"""Where candidates come from. A source sees the whole batch and proposes rows for each query."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from streams.settings.ranking import RankingSettings
from workers.ranking.candidates import Query, Step, member
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation, Vectors

_NONE: Rows = np.zeros(0, np.int64)
ALWAYS = frozenset(Step)
KNOWN = frozenset({Step.FEW_EVENTS, Step.HISTORY})


class Source(NamedTuple):
    """A named way to propose candidates; the name is the reason's code.

    Attributes:
        propose: returns rows for each query, in any order.
        steps: the rungs of the cold-start ladder on which it is asked.
        vital: whether it is asked even where there is no time for anything else.
    """

    name: str
    propose: Callable[[Sequence[Query], Generation, RankingSettings], list[Rows]]
    steps: frozenset[Step] = ALWAYS
    vital: bool = False


def learned(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the rows of the index nearest to each learned user vector.

    Seen rows differ by user and come out later, so the search takes as many more as the batch's
    longest list of them.
    """
    asked = [number for number, query in enumerate(queries) if query.vector is not None]
    rows = [_NONE] * len(queries)
    if not asked or not len(generation.index):
        return rows
    most_seen = max(len(queries[number].seen) for number in asked)
    found = generation.index.search(
        _vectors(queries, asked),
        min(settings.learned_candidates + most_seen, len(generation.index)),
    )
    for number, keys in zip(asked, found.keys, strict=True):
        rows[number] = keys[keys >= 0]
    return rows


def popular(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the most popular rows that each user has not seen and that are available."""
    ranked = generation.popular
    ranked = ranked[generation.catalogue.available[ranked]]
    rows = []
    for query in queries:
        head = ranked[: settings.popular_candidates + len(query.seen)]
        rows.append(head[~member(head, query.seen)][: settings.popular_candidates])
    return rows


def lookalike(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return what the users most like each user liked last."""
    asked = [number for number, query in enumerate(queries) if query.vector is not None]
    rows = [_NONE] * len(queries)
    if not asked:
        return rows
    vectors = _vectors(queries, asked)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    ids = [queries[number].state.user_id for number in asked]
    liked = generation.lookalikes.liked_by_like(ids, vectors, settings.lookalike_users)
    for number, items in zip(asked, liked, strict=True):
        rows[number] = generation.catalogue.rows(items)
    return rows


def neighbours(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the neighbours, by learned vector, of each user's newest items."""
    newest = [query.history[len(query.history) - settings.neighbour_items :] for query in queries]
    found = generation.neighbours.of(np.concatenate([_NONE, *newest]), generation.index, generation.item_matrix)
    rows, start = [], 0
    for own in newest:
        near = found[start : start + len(own)].ravel()
        rows.append(near[near >= 0].astype(np.int64))
        start += len(own)
    return rows


def covisited(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return what others did most often after each user's newest items, as the model counted it."""
    lists = generation.model.covisited[:, : settings.covisited]
    if not lists.size:
        return [_NONE] * len(queries)
    newest = [query.history[len(query.history) - settings.neighbour_items :] for query in queries]
    numbers = generation.numbers[np.concatenate([_NONE, *newest])]
    found = np.where(numbers[:, None] >= 0, lists[numbers], -1)
    following = np.where(found >= 0, generation.known_rows[found], -1)
    rows, start = [], 0
    for own in newest:
        near = following[start : start + len(own)].ravel()
        rows.append(near[near >= 0])
        start += len(own)
    return rows


def text(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the items whose texts are nearest to the mean of those of each user's newest items."""
    rows = [_NONE] * len(queries)
    asked = [number for number, query in enumerate(queries) if len(query.history)]
    if generation.texts is None:
        return rows
    tastes = [queries[number].history[-max(1, settings.few_events) :] for number in asked]
    for number, found in zip(asked, generation.texts.around(tastes, settings.text_candidates), strict=True):
        rows[number] = found
    return rows


def pinned(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the items that the settings give a place of their own."""
    rows = generation.catalogue.rows(pin.item_id for pin in settings.pins)
    return [rows] * len(queries)


def trending(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the rows that rise most and that each user has not seen; nothing when nobody counts trends."""
    ranked = generation.trends.rising(generation.catalogue)
    ranked = ranked[generation.catalogue.available[ranked]]
    rows = []
    for query in queries:
        head = ranked[: settings.trending_candidates + len(query.seen)]
        rows.append(head[~member(head, query.seen)][: settings.trending_candidates])
    return rows


def _vectors(queries: Sequence[Query], asked: Sequence[int]) -> Vectors:
    """Return the user vectors of the queries that have one, float32 (len(asked), width)."""
    found = (queries[number].vector for number in asked)
    return np.stack([vector for vector in found if vector is not None])


SOURCES = (
    Source("learned", learned, KNOWN),
    Source("popular", popular, vital=True),
    Source("lookalike", lookalike, KNOWN),
    Source("trending", trending),
    Source("neighbours", neighbours, KNOWN),
    Source("covisited", covisited, KNOWN),
    Source("text", text, frozenset({Step.FEW_EVENTS})),
)
"""Those that are built in. The cold-start ladder: nobody -> trending and popular; few events -> text and
neighbours beside the learned vector; more -> the learned vector and what is near it or follows it."""
PINNED = Source("pinned", pinned, vital=True)
"""Asked where the settings pin something."""
