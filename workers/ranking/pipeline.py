"""The whole way from users to slates, in order, on one page.

    hydrate -> sources -> filters -> score -> select -> reasons

Stages are small and pure; this file alone measures them, and reports once a batch.
"""

from collections import Counter
from collections.abc import Sequence

from streams.contracts import UserState
from streams.settings import Settings
from workers.ranking import metrics
from workers.ranking.candidates import Candidates, Query, Slate, union
from workers.ranking.catalogue import Mask, Rows
from workers.ranking.filters import SEEN, UNAVAILABLE
from workers.ranking.generation import Generation
from workers.ranking.hydration import hydrate
from workers.ranking.laps import Laps
from workers.ranking.reasons import reasons
from workers.ranking.scoring import score
from workers.ranking.selection import best
from workers.ranking.sources import SOURCES

_HYDRATE = ("hydrate", "states")
_SCORE, _SELECT, _REASONS = ("score", "model"), ("select", "best"), ("reasons", "sources")


class Pipeline:
    """Makes slates with one generation; a new generation gets a new pipeline.

    Attributes:
        laps: where the time of the last batch went.
    """

    def __init__(self, generation: Generation, settings: Settings) -> None:
        self.laps = Laps(metrics.STAGE_SECONDS)
        self._generation = generation
        self._settings = settings
        filters = (SEEN, UNAVAILABLE) if settings.ranking.exclude_seen else (UNAVAILABLE,)
        self._filters = [(rule, ("filter", rule.name)) for rule in filters]
        self._removed: Counter[str] = Counter()

    def recommend(self, states: Sequence[UserState], now_ms: int) -> list[Slate]:
        """Return one slate a state, in order.

        Args:
            now_ms: the moment that expiry is judged by, milliseconds since the epoch.
        """
        if not states:
            return []
        self.laps.start()
        queries = hydrate(states, self._generation)
        self.laps.lap(_HYDRATE)
        proposals = [self._propose(number, queries) for number in range(len(SOURCES))]
        live = self._generation.catalogue.live(now_ms)
        slates = [
            self._slate(query, union([rows[number] for rows in proposals]), live)
            for number, query in enumerate(queries)
        ]
        self._report(slates)
        return slates

    def _propose(self, number: int, queries: Sequence[Query]) -> list[Rows]:
        source = SOURCES[number]
        proposed = source.propose(queries, self._generation, self._settings.ranking)
        metrics.PROPOSED.labels(source.name).inc(sum(map(len, proposed)))
        self.laps.lap(("source", source.name))
        return proposed

    def _slate(self, query: Query, candidates: Candidates, live: Mask) -> Slate:
        for rule, stage in self._filters:
            mask = rule.keep(query, candidates.rows, live)
            kept = candidates.keep(mask)
            self._removed[rule.name] += len(candidates.rows) - len(kept.rows)
            candidates = kept
            self.laps.lap(stage)
        scores = score([query], [candidates.rows], self._generation)[0]
        self.laps.lap(_SCORE)
        places = best(scores, self._settings.ranking.slate_length)
        rows = candidates.rows[places]
        self.laps.lap(_SELECT)
        why = reasons(query, rows, candidates.sources[places], self._generation)
        self.laps.lap(_REASONS)
        return Slate(query, rows, scores[places], why)

    def _report(self, slates: Sequence[Slate]) -> None:
        self.laps.report()
        for name, removed in self._removed.items():
            metrics.REMOVED.labels(name).inc(removed)
        self._removed.clear()
        metrics.SHORT.inc(sum(len(slate.rows) < self._settings.ranking.slate_length for slate in slates))
