"""The whole way from users to slates, in order, on one page.

    hydrate -> sources -> filters -> score -> select -> reasons

Stages are small and pure; this file alone measures them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from streams.contracts import UserState
from streams.settings import Settings
from workers.ranking import metrics
from workers.ranking.candidates import Candidates, Query, Slate, union
from workers.ranking.catalogue import Mask, Rows
from workers.ranking.filters import SEEN, UNAVAILABLE
from workers.ranking.generation import Generation
from workers.ranking.hydration import hydrate
from workers.ranking.reasons import reasons
from workers.ranking.scoring import score
from workers.ranking.selection import best
from workers.ranking.sources import SOURCES


class Pipeline:
    """Makes slates with one generation; a new generation gets a new pipeline."""

    def __init__(self, generation: Generation, settings: Settings) -> None:
        self._generation = generation
        self._settings = settings
        self._filters = (SEEN, UNAVAILABLE) if settings.ranking.exclude_seen else (UNAVAILABLE,)

    def recommend(self, states: Sequence[UserState], now_ms: int) -> list[Slate]:
        """Return one slate a state, in order.

        Args:
            now_ms: the moment that expiry is judged by, milliseconds since the epoch.
        """
        if not states:
            return []
        with _stage("hydrate", "states"):
            queries = hydrate(states, self._generation)
        proposals = [self._propose(number, queries) for number in range(len(SOURCES))]
        live = self._generation.catalogue.live(now_ms)
        return [
            self._slate(query, union([rows[number] for rows in proposals]), live)
            for number, query in enumerate(queries)
        ]

    def _propose(self, number: int, queries: Sequence[Query]) -> list[Rows]:
        source = SOURCES[number]
        with _stage("source", source.name):
            proposed = source.propose(queries, self._generation, self._settings.ranking)
        metrics.PROPOSED.labels(source.name).inc(sum(map(len, proposed)))
        return proposed

    def _slate(self, query: Query, candidates: Candidates, live: Mask) -> Slate:
        for rule in self._filters:
            with _stage("filter", rule.name):
                mask = rule.keep(query, candidates.rows, live)
            metrics.REMOVED.labels(rule.name).inc(len(mask) - int(mask.sum()))
            candidates = candidates.keep(mask)
        with _stage("score", "model"):
            scores = score([query], [candidates.rows], self._generation)[0]
        with _stage("select", "best"):
            places = best(scores, self._settings.ranking.slate_length)
        rows = candidates.rows[places]
        with _stage("reasons", "sources"):
            why = reasons(query, rows, candidates.sources[places], self._generation)
        if len(rows) < self._settings.ranking.slate_length:
            metrics.SHORT.inc()
        return Slate(query, rows, scores[places], why)


@contextmanager
def _stage(stage: str, name: str) -> Iterator[None]:
    with metrics.STAGE_SECONDS.labels(stage, name).time():
        yield
