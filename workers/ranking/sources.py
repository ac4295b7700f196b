"""Where candidates come from. A source sees the whole batch and proposes rows for each query."""

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from streams.settings.ranking import RankingSettings
from workers.ranking.candidates import Query, Step, member
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation, Vectors
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.related import COVISITED_HALF_LIFE, EASE_HALF_LIFE, related
from workers.ranking.rescoring import trails_of

_NONE: Rows = np.zeros(0, np.int64)
ALWAYS = frozenset(Step)
KNOWN = frozenset({Step.FEW_EVENTS, Step.HISTORY})


class Source(NamedTuple):
    """A named way to propose candidates; the name is the reason's code.

    Attributes:
        propose: returns rows for each query, best first.
        steps: the rungs of the cold-start ladder on which it is asked.
        vital: whether it is asked even where there is no time for anything else.
        weight: of its places, where there are more candidates than `ranking.candidates`; see `union`.
    """

    name: str
    propose: Callable[[Sequence[Query], Generation, RankingSettings], list[Rows]]
    steps: frozenset[Step] = ALWAYS
    vital: bool = False
    weight: float = 1.0


def learned(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the rows of the index nearest to each learned user vector.

    Seen rows differ by user, so the search takes as many more as the batch's longest list of them; who has seen
    less is given no more for that.
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
        near = keys[keys >= 0]
        if settings.exclude_seen:  # last, so that they take no places: a filter says why each of them goes
            seen = member(near, queries[number].seen)
            rows[number] = np.concatenate([near[~seen][: settings.learned_candidates], near[seen]])
        else:
            rows[number] = near[: settings.learned_candidates]
    return rows


def popular(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return the most popular rows that each user has not seen and that are available.

    Of whom nothing is known gets all candidates from here and `trending`.
    """
    ranked = generation.popular
    ranked = ranked[generation.catalogue.available[ranked]]
    rows = []
    for query in queries:
        most = settings.candidates if query.step is Step.NO_HISTORY else settings.popular_candidates
        rows.append(_unseen(ranked, query, most))
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
    for number, found in zip(asked, liked, strict=True):
        rows[number] = found
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
    """Return what others did soon after what each user did, as the model counted it."""
    return _evident("covisited", queries, generation, settings, COVISITED_HALF_LIFE)


def together(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Return what goes with each user's items by EASE, as the model counted it."""
    return _evident("ease", queries, generation, settings, EASE_HALF_LIFE)


def _evident(
    kind: str, queries: Sequence[Query], generation: Generation, settings: RankingSettings, half_life: float
) -> list[Rows]:
    most = settings.covisited if kind == "covisited" else settings.together
    lists: Neighbours | None = getattr(generation.model.evidence, kind, None)
    if lists is None or not most:
        return [_NONE] * len(queries)
    seen = [generation.numbers[query.seen] if settings.exclude_seen else _NONE for query in queries]
    found = related(lists, trails_of(queries, generation).sources, most, half_life, seen)
    return [rows[rows >= 0] for rows in (generation.known_rows[numbers] for numbers in found)]


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
    """Return the rows that rise most and that each user has not seen; nothing when nobody counts trends.

    Those that rise in the context of the slate come first; where they are too few, what rises everywhere follows.
    """
    available, most = generation.catalogue.available, settings.trending_candidates
    ranked = generation.trends.rising(generation.catalogue)
    ranked = ranked[available[ranked]]
    by_context: dict[str, Rows] = {}
    rows = []
    for query in queries:
        found = _unseen(ranked, query, most)
        if query.local is not None:
            local = query.local
            if local.context not in by_context:
                by_context[local.context] = local.rising[available[local.rising]]
            here = _unseen(by_context[local.context], query, most)
            found = np.concatenate([here, found[~member(found, np.sort(here))]])[:most]
        rows.append(found)
    return rows


def _unseen(ranked: Rows, query: Query, most: int) -> Rows:
    """Return the first rows that the user has not seen."""
    head = ranked[: most + len(query.seen)]
    return head[~member(head, query.seen)][:most]


def _vectors(queries: Sequence[Query], asked: Sequence[int]) -> Vectors:
    """Return the user vectors of the queries that have one, float32 (len(asked), width)."""
    found = (queries[number].vector for number in asked)
    return np.stack([vector for vector in found if vector is not None])


_EVIDENCE_WEIGHT = 0.15
_OTHERS_WEIGHT = 0.05
SOURCES = (
    Source("learned", learned, KNOWN),
    Source("popular", popular, vital=True, weight=_OTHERS_WEIGHT),
    Source("lookalike", lookalike, KNOWN, weight=_OTHERS_WEIGHT),
    Source("trending", trending, weight=_OTHERS_WEIGHT),
    Source("neighbours", neighbours, KNOWN, weight=_OTHERS_WEIGHT),
    Source("covisited", covisited, KNOWN, weight=_EVIDENCE_WEIGHT),
    Source("together", together, KNOWN, weight=_EVIDENCE_WEIGHT),
    Source("text", text, frozenset({Step.FEW_EVENTS}), weight=_OTHERS_WEIGHT),
)
"""Those that are built in. The cold-start ladder: nobody -> trending, by context where one is told, and popular;
few events -> text and neighbours beside the learned vector; more -> what is near the learned vector, follows the
past or goes with it."""
PINNED = Source("pinned", pinned, vital=True, weight=inf)
"""Asked where the settings pin something."""
