"""The candidates of serving, for questions: its own sources, fusion and filter, each question at its moment."""

from typing import Final, NamedTuple

import numpy as np

from streams.settings import Settings
from workers.ranking.candidates import NO_ROWS, Candidates, Query
from workers.ranking.catalogue import Rows
from workers.ranking.evaluation.moments import Moments
from workers.ranking.evaluation.plain import catalogue_of, plain
from workers.ranking.evaluation.protocols import Mask, Questions
from workers.ranking.evaluation.states import States
from workers.ranking.filters import sift
from workers.ranking.fusion import union
from workers.ranking.generation import Generation
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model
from workers.ranking.model.training import ItemTexts
from workers.ranking.pipeline import Pipeline, Stages
from workers.ranking.sources import Source

_STILL: Final = frozenset({"learned", "popular", "neighbours", "covisited", "together", "text"})
"""Sources that answer from the model and the user alone: all questions are put at once. Others, those of installed
packages too, are asked at the moment of each question."""
_NO_TIME_MS: Final = 0
"""Nothing expires here."""


class Retrieved(NamedTuple):
    """What the sources name for n questions, and what becomes of it.

    Attributes:
        queries: n users, as the pipeline has them.
        proposals: by source, rows of each question, best first; repeats and seen items among them.
        asked: by source, bool (n,), whether the cold-start ladder asks it for the question.
        candidates: of all sources together and not seen, uncut.
    """

    queries: list[Query]
    proposals: dict[str, list[Rows]]
    asked: dict[str, Mask]
    candidates: Candidates


class Retrieval:
    """Asks the sources that the settings choose, as a ranking worker with this model would at each question.

    Rows are those of `items`. What depends on time (trends, look-alike users) knows the events that are applied
    and counted when a question is put, and no others: see `Moments`. Questions in the order of time are
    quickest; going back begins again.

    Args:
        settings: made `plain`; what was seen is always filtered.

    Attributes:
        model: as given.
        items: as given.
        settings: the plain ones.
        generation: of the model over the items.

    Raises:
        SettingError: `ranking.sources` names a source that is not there.
    """

    def __init__(self, model: Model, items: ItemTexts, settings: Settings | None = None) -> None:
        settings = Settings() if settings is None else settings
        self.model, self.items = model, items
        self.settings = plain(settings, model.rating_scale)
        self.generation = Generation(model, catalogue_of(items, self.settings.ranking), self.settings)
        self._stages = Stages(self.settings)
        self._pipeline = Pipeline(self.generation, self.settings, self._stages)
        self._moments: Moments | None = None
        self._states: States | None = None
        self._newest: tuple[Questions, Retrieved] | None = None

    def __call__(self, questions: Questions) -> Retrieved:
        """Return what is found; the same object where these questions were the last ones too."""
        if self._newest is None or not _same(self._newest[0], questions):
            self._newest = questions, self._retrieved(questions)
        return self._newest[1]

    def close(self) -> None:
        """Stop the threads of the indexes."""
        self.generation.close()
        if self.generation.texts is not None:
            self.generation.texts.close()

    def _retrieved(self, questions: Questions) -> Retrieved:
        spans = zip(questions.starts.tolist(), questions.ends.tolist(), strict=True)
        states = self._states_of(questions.log)
        queries = self._pipeline.hydrate([states.after(start, end) for start, end in spans])
        sources = self._stages.sources
        still = [source for source in sources if source.name in _STILL]
        proposals = {source.name: self._pipeline.propose(source, queries) for source in still}
        proposals |= self._live(questions, queries, [source for source in sources if source.name not in _STILL])
        proposals = {source.name: proposals[source.name] for source in sources}
        found = union(list(proposals.values()), [source.weight for source in sources])
        kept, _ = sift(self._stages.filters, queries, found, self.generation, _NO_TIME_MS)
        asked = {
            source.name: np.array([query.step in source.steps for query in queries], np.bool_)
            for source in sources
        }
        return Retrieved(queries, proposals, asked, kept)

    def _live(self, questions: Questions, queries: list[Query], sources: list[Source]) -> dict[str, list[Rows]]:
        """Return what the sources propose that answer from the stream, each question at its moment."""
        found = {source.name: [NO_ROWS] * len(queries) for source in sources}
        if not sources:
            return found
        order = np.argsort(questions.applied, kind="stable")
        distinct, first = np.unique(questions.applied[order], return_index=True)
        moments = self._since(questions).through(distinct)
        for _, places in zip(moments, np.split(order, first[1:]), strict=True):
            together = [queries[place] for place in places]
            for source in sources:
                for place, rows in zip(places, self._pipeline.propose(source, together), strict=True):
                    found[source.name][place] = rows
        return found

    def _states_of(self, log: Sequences) -> States:
        if self._states is None or self._states.log is not log:
            self._states = States(log, self.items.item_ids, self.model.rating_scale, self.model.history_length)
        return self._states

    def _since(self, questions: Questions) -> Moments:
        """Return the moments of the questions' log, none of them after the first question."""
        moments = self._moments
        if moments is None or not moments.of(questions) or (questions.applied < moments.applied).any():
            states = self._states_of(questions.log)
            moments = self._moments = Moments(self.generation, questions, states, self.settings)
        return moments


def _same(one: Questions, other: Questions) -> bool:
    """Return whether both ask the same of the same log; targets are no part of it."""
    if one.log is not other.log or one.counted is not other.counted:
        return False
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("starts", "ends", "applied"))
