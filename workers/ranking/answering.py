"""The slate that answers a request: the user's ordinary one, or what is near the client's words."""

import numpy as np

from streams.codec import UNREADABLE, decode_ranking_query, unreadable
from streams.contracts import RankingQuery, Record, Rejected, UserState
from streams.settings.ranking import RankingSettings
from streams.state.draft import Draft
from workers.ranking.candidates import Candidates, Query, Scored, Slate, Vector, among
from workers.ranking.catalogue import Rows
from workers.ranking.filters import BOUGHT, SEEN, Filter, sift
from workers.ranking.fusion import union
from workers.ranking.generation import Generation
from workers.ranking.pipeline import Pipeline, Stages, parts_of
from workers.ranking.reasons import Reasons
from workers.ranking.selection import finite, select

SOURCE = "query"
"""Of candidates that are near the words, and the part of a score that says how near."""
_FLOAT32 = np.dtype("<f4")
_PAST = {SEEN.name, BOUGHT.name}


def decode_query(record: Record, encoder_id: str, dimension: int) -> RankingQuery | Rejected:
    """Return the request in a record of `ranking.queries.v1`, or why it holds none.

    Args:
        encoder_id: whose vectors can be compared with the items'.
        dimension: of the items' text vectors; 0 while there is no item.
    """
    try:
        query = decode_ranking_query(record.value or b"")
    except UNREADABLE as error:
        return unreadable(record, error)
    if query.encoder_id != encoder_id:
        return Rejected(record, "other_encoder", f"its words went through encoder {query.encoder_id!r}")
    if len(query.vector) not in (0, dimension * _FLOAT32.itemsize) and dimension:
        return Rejected(record, "invalid", f"{len(query.vector)} bytes are no vector of {dimension} numbers")
    return query


def nobody(user_id: str, partition: int) -> UserState:
    """Return the state of a user of whom nothing is known."""
    return Draft.of_nothing(user_id, partition).frozen()


class Answering:
    """Answers requests one by one: they are few beside the clicks, and each has wishes of its own."""

    def __init__(self, settings: RankingSettings, stages: Stages) -> None:
        self._settings = settings
        self._filters = stages.filters
        self._reasons = stages.reasons
        self._asked = Reasons([SOURCE])

    def slate(
        self, asked: RankingQuery, state: UserState, pipeline: Pipeline, generation: Generation, now_ms: int
    ) -> Slate:
        """Return the slate for a request.

        With words, the candidates are the items whose texts are nearest to them, and a score is the ordinary
        one plus `ranking.query_weight` times the cosine of words and text. Like every score it depends on the
        user, the request and that candidate only. Pins and the deadline are for slates that nobody asked for.

        Args:
            state: of the user; `nobody` for one who is not known.
            now_ms: the moment that expiry is judged by, milliseconds since the epoch.
        """
        request = asked.request
        vector = np.frombuffer(asked.vector, _FLOAT32) if asked.vector else None
        queries = pipeline.hydrate([state], told=request.context)
        proposed = pipeline.proposed(queries) if vector is None else self._near(vector, queries[0], generation)
        candidates, _ = sift(self._kept(request.include_seen), queries, proposed, generation, now_ms)
        excluded = generation.catalogue.rows(request.exclude)
        candidates = candidates.keep(~among(candidates, [excluded]))
        if vector is None:
            candidates = candidates.best(self._settings.candidates, 1)
        scored = pipeline.score(queries, candidates)
        if vector is not None and len(candidates.rows):
            scored = self._with_words(scored, candidates.rows, vector, generation)
        length = request.length or self._settings.slate_length
        at = select(scored.scores, length, pipeline.wishes(candidates.rows, {}))
        rows, query = candidates.rows[at], queries[0]
        reasons = self._reasons if vector is None else self._asked
        return Slate(
            query,
            rows,
            finite(scored.scores)[at],
            reasons.of(query, rows, candidates.sources[at], generation),
            parts_of(scored, at) if self._settings.score_parts else (),
        )

    def _near(self, vector: Vector, query: Query, generation: Generation) -> Candidates:
        if generation.texts is None:  # no item yet
            return union([[]])
        # What the user has seen comes out later, so the search takes as many more.
        wanted = self._settings.query_candidates + len(query.seen)
        return union([[generation.texts.near(vector, wanted)]])

    def _kept(self, include_seen: bool) -> list[Filter]:
        return [each for each in self._filters if not (include_seen and each.name in _PAST)]

    def _with_words(self, scored: Scored, rows: Rows, vector: Vector, generation: Generation) -> Scored:
        # Summed row by row, as in `scoring.py`: a matrix product may round differently with their number.
        nearness = (generation.catalogue.text_vectors[rows] * vector).sum(axis=1)
        part = (np.float32(self._settings.query_weight) * nearness).astype(np.float32)
        return Scored(scored.scores + part, {**scored.parts, SOURCE: part})
