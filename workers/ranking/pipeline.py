"""The whole way from users to slates, in order, on one page.

    hydrate -> sources -> filters -> score -> boost -> select -> reasons

Stages are small, and see the whole batch; this file alone measures them, and reports once a batch.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

import numpy as np

from encoder.places import check_adapters
from streams.clock import Clock, monotonic_seconds
from streams.contexts import context_in
from streams.contracts import Interaction, UserState
from streams.settings import Settings
from workers.ranking import metrics
from workers.ranking.boosts import boosted
from workers.ranking.candidates import NO_ROWS, Candidates, Query, Scored, Slate
from workers.ranking.catalogue import Rows
from workers.ranking.deadline import Deadline, Level
from workers.ranking.filters import Removed, sift
from workers.ranking.fusion import union
from workers.ranking.generation import Generation
from workers.ranking.hydration import hydrate
from workers.ranking.laps import Laps
from workers.ranking.plugins import chosen_filters, chosen_scorer, chosen_sources
from workers.ranking.reasons import Reasons
from workers.ranking.scorers import Scorer, by_vector, without_cross_encoder
from workers.ranking.selection import Limit, Wishes, finite, select
from workers.ranking.sources import Source

_HYDRATE, _UNION = ("hydrate", "states"), ("source", "union")
_QUICKER: Final[Mapping[Level, Scorer]] = {
    Level.MODEL: without_cross_encoder,
    Level.VECTOR: by_vector,
    Level.POPULAR: by_vector,
}
_SELECT, _REASONS = ("select", "best"), ("reasons", "sources")


class Stages:
    """What the settings chose: sources, filters and scorer. Made once, when a worker starts.

    Raises:
        SettingError: a name is unknown, or what it names cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.sources = chosen_sources(settings.ranking)
        self.filters = chosen_filters(settings.ranking)
        self.scorer: Scorer = chosen_scorer(settings.ranking)
        self.reasons = Reasons([source.name for source in self.sources])
        slow = "cross_encoder" in settings.ranking.added_scorers
        if slow:
            check_adapters()
        models = (Level.FULL, Level.MODEL) if slow else (Level.FULL,)
        self.deadline = Deadline(settings.ranking.deadline_seconds, models=models)


class Pipeline:
    """Makes slates with one generation; a new generation gets a new pipeline.

    Args:
        stages: None makes those of the settings.

    Attributes:
        laps: where the time of the last batch went.
    """

    def __init__(
        self,
        generation: Generation,
        settings: Settings,
        stages: Stages | None = None,
        clock: Clock = monotonic_seconds,
    ) -> None:
        self.laps = Laps(metrics.STAGE_SECONDS)
        self._generation = generation
        self._settings = settings.ranking
        self._context_field = settings.state.trend_context
        self._stages = stages or Stages(settings)
        self._clock = clock
        if generation.model.cross is not None:  # the first batch may be large, and its time is known too late
            self._stages.deadline.expect(Level.FULL, generation.model.cross.slate_seconds)

    def recommend(self, states: Sequence[UserState], now_ms: int) -> list[Slate]:
        """Return one slate a state, in order.

        Args:
            now_ms: the moment that expiry is judged by, milliseconds since the epoch.
        """
        if not states:
            return []
        self.laps.start()
        deadline = self._stages.deadline
        level = deadline.start(len(states))
        queries = self.hydrate(states, encode=level is not Level.POPULAR)
        self.laps.lap(_HYDRATE)
        candidates, removed = self.candidates(queries, now_ms, vital_only=level is Level.POPULAR)
        level = deadline.before_scoring(level, len(states))
        scored = self._timed_score(queries, candidates, level)
        slates = self._slates(queries, candidates, scored, None if level is Level.FULL else level.value)
        deadline.finish(level, len(states))
        self._report(slates, removed, level)
        return slates

    def hydrate(
        self,
        states: Sequence[UserState],
        *,
        encode: bool = True,
        histories: Sequence[Sequence[Interaction]] | None = None,
        told: Mapping[str, object] | None = None,
    ) -> list[Query]:
        """Return one query a state; without `encode`, without learned vectors.

        Args:
            histories: to be taken instead of those of the states.
            told: the context that the slates are for; where it does not say, the newest of each user counts.
        """
        contexts = None
        if field := self._context_field:
            here = context_in(told or {}, field)
            contexts = [here or state.last_context for state in states]
        few_events = self._settings.few_events
        return hydrate(states, self._generation, few_events, encode=encode, histories=histories, contexts=contexts)

    def candidates(
        self, queries: Sequence[Query], now_ms: int, *, vital_only: bool = False
    ) -> tuple[Candidates, list[Removed]]:
        """Return the best of what the sources propose and the filters keep, and what each filter removed."""
        candidates = self.proposed(queries, vital_only=vital_only)
        kept, removed = sift(self._stages.filters, queries, candidates, self._generation, now_ms)
        kept = kept.best(self._settings.candidates, len(queries))
        self.laps.lap(("filter", "all"))
        return kept, removed

    def proposed(self, queries: Sequence[Query], *, vital_only: bool = False) -> Candidates:
        """Return what the sources propose together."""
        sources = self._stages.sources
        proposals = [self.propose(source, queries, vital_only=vital_only) for source in sources]
        candidates = union(proposals, [source.weight for source in sources])
        self.laps.lap(_UNION)
        return candidates

    def propose(self, source: Source, queries: Sequence[Query], *, vital_only: bool = False) -> list[Rows]:
        """Return what a source proposes for each query, best first: nothing where it is not to be asked."""
        asked = [number for number, query in enumerate(queries) if query.step in source.steps]
        if not asked or (vital_only and not source.vital):
            return [NO_ROWS] * len(queries)
        proposed = source.propose([queries[number] for number in asked], self._generation, self._settings)
        metrics.PROPOSED.labels(source.name).inc(sum(map(len, proposed)))
        self.laps.lap(("source", source.name))
        if len(asked) == len(queries):
            return proposed
        found = dict(zip(asked, proposed, strict=True))
        return [found.get(number, NO_ROWS) for number in range(len(queries))]

    def score(self, queries: Sequence[Query], candidates: Candidates, scorer: Scorer | None = None) -> Scored:
        """Return the scores with their boosts."""
        scored = (scorer or self._stages.scorer)(queries, candidates, self._generation)
        if not self._settings.boosts:
            return scored
        applies = self._generation.catalogue.policy.boosted[:, candidates.rows]
        return boosted(scored, self._settings.boosts, applies)

    def _timed_score(self, queries: Sequence[Query], candidates: Candidates, level: Level) -> Scored:
        before = self._clock()
        scored = self.score(queries, candidates, _QUICKER.get(level))
        self._stages.deadline.scored(level, len(queries), self._clock() - before)
        self.laps.lap(("score", self._settings.scorer if level in (Level.FULL, Level.MODEL) else "vector"))
        return scored

    def _slates(
        self, queries: Sequence[Query], candidates: Candidates, scored: Scored, degraded: str | None
    ) -> list[Slate]:
        pins = self._pins()
        chosen = []
        for query, span in zip(queries, candidates.spans(len(queries)), strict=True):
            rows, scores = candidates.rows[span], scored.scores[span]
            places = select(scores, self._settings.slate_length, self.wishes(rows, pins))
            chosen.append((query, rows[places], finite(scores)[places], places + span.start))
        self.laps.lap(_SELECT)
        slates = [
            Slate(
                query,
                rows,
                scores,
                self._stages.reasons.of(query, rows, candidates.sources[at], self._generation),
                parts_of(scored, at) if self._settings.score_parts else (),
                degraded,
            )
            for query, rows, scores, at in chosen
        ]
        self.laps.lap(_REASONS)
        return slates

    def _pins(self) -> dict[int, int]:
        """Return row -> place, counted from 0."""
        row_of = self._generation.catalogue.row
        found = ((row_of(pin.item_id), pin.rank - 1) for pin in self._settings.pins)
        return {row: place for row, place in found if row is not None}

    def wishes(self, rows: Rows, pins: Mapping[int, int]) -> Wishes:
        """Return what the settings wish for one user's candidates, `rows`, ascending."""
        policy, diversity = self._generation.catalogue.policy, self._settings.diversity
        # By text: in the model's space a good slate is alike on purpose. For 1 % of NDCG slates became 2 % more
        # different in text and categories, where the model's space gave .4 % (MovieLens-100K).
        texts = self._generation.catalogue.text_vectors
        return Wishes(
            diversity=diversity,
            vectors=self._generation.model.unit_texts(texts[rows]) if diversity and len(rows) else None,
            limits=[
                Limit(groups.matrix[rows], cap.most)
                for cap, groups in zip(self._settings.caps, policy.groups, strict=False)
            ],
            variety=self._settings.variety,
            kinds=policy.groups[-1].matrix[rows] if self._settings.variety else None,
            pins={int(np.searchsorted(rows, row)): place for row, place in pins.items() if row in rows},
        )

    def _report(self, slates: Sequence[Slate], removed: Sequence[Removed], level: Level) -> None:
        self.laps.report()
        for each in removed:
            metrics.REMOVED.labels(each.filter.name).inc(len(each.candidates.rows))
        if level is not Level.FULL:
            metrics.DEGRADED.labels(level.value).inc(len(slates))
        metrics.SHORT.inc(sum(len(slate.rows) < self._settings.slate_length for slate in slates))


def parts_of(scored: Scored, at: Rows) -> list[dict[str, float]]:
    """Return the parts of some candidates' scores; a part that is nothing, or no number, is left out."""
    names = tuple(scored.parts)
    columns = zip(*(part[at].tolist() for part in scored.parts.values()), strict=True)
    return [
        {name: value for name, value in zip(names, values, strict=True) if value and isfinite(value)}
        for values in columns
    ]
