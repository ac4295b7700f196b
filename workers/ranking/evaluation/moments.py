"""What workers learn from the stream while a model serves, as of any moment: trends, and who is like whom."""

from collections.abc import Iterator
from itertools import count, pairwise
from typing import Final

import numpy as np

from streams.contracts import EventType, ItemTrend, UserVector
from streams.feedback.trends import Activity, trend_after
from streams.settings import Settings
from workers.ranking.evaluation.protocols import Questions, positions
from workers.ranking.evaluation.states import States
from workers.ranking.generation import Generation
from workers.ranking.hydration import hydrate
from workers.ranking.lookalikes import Lookalikes
from workers.ranking.messages import user_vector
from workers.ranking.model.signals import RATING_BUCKETS, Integers
from workers.ranking.trends import Trends

_AT_ONCE: Final = 256
"""Moments whose users are encoded in one pass."""
_USERS_AT_ONCE: Final = 1_024
_PARTITION: Final = 0


class Moments:
    """Follows a log through time, and tells a generation's trends and look-alikes of each event once.

    As with the feedback worker, an event is counted for its item. As with the ranking workers, the user of an
    event has a new vector and new liked items before the next event. A moment is a number of applied events, see
    `Questions.applied`; those of them that `Questions.counted` leaves out are never told. A log knows no contexts.

    Args:
        generation: its trends and look-alikes are begun anew.
        states: of the questions' log.
    """

    def __init__(self, generation: Generation, questions: Questions, states: States, settings: Settings) -> None:
        self.applied = 0
        self._generation, self._states, self._settings = generation, states, settings
        self._log, self._counted = questions.log, questions.counted
        self._order = np.argsort(positions(questions.log))
        signals = questions.log.events.signals
        self._kinds = np.where(signals < RATING_BUCKETS, EventType.RATING.code, signals - RATING_BUCKETS)
        ticks = count()
        generation.trends = Trends(lambda: float(next(ticks)))  # each moment may rank anew
        model = generation.model
        generation.lookalikes.close()
        generation.lookalikes = Lookalikes(model.version, model.width, generation.catalogue, settings.index)
        self._trends: dict[int, ItemTrend] = {}
        self._told = 0

    def of(self, questions: Questions) -> bool:
        """Return whether these are the moments of the questions' log, with the same events counted."""
        return self._log is questions.log and self._counted is questions.counted

    def through(self, moments: Integers) -> Iterator[int]:
        """Yield each moment when everything before it has been told, and nothing else.

        Args:
            moments: int64 (m,), ascending, none before one that was yielded earlier.
        """
        for first in range(0, len(moments), _AT_ONCE):
            bounds = [self.applied, *moments[first : first + _AT_ONCE].tolist()]
            passed = [self._order[start:end] for start, end in pairwise(bounds)]
            passed = [places[self._counted[places]] for places in passed]
            newest = [_newest_of_each(self._log.starts[places], places) for places in passed]
            vectors = iter(self._vectors(np.concatenate(newest)))
            for moment, places, users in zip(bounds[1:], passed, newest, strict=True):
                self._tell_trends(places)
                told = [next(vectors) for _ in range(len(users))]
                self._generation.lookalikes.apply([(each.user_id, each) for each in told])
                self._generation.lookalikes.complete()
                self.applied = moment
                yield moment

    def _tell_trends(self, places: Integers) -> None:
        rows, _, times_ms = self._log.events
        of_generation, most_contexts = self._generation, self._settings.feedback.contexts_per_item
        columns = (rows[places].tolist(), self._kinds[places].tolist(), times_ms[places].tolist())
        for row, kind, time_ms in zip(*columns, strict=True):
            activity = Activity(of_generation.catalogue.item_id(row), {kind: 1}, time_ms, {})
            self._told += 1
            self._trends[row] = trend_after(self._trends.get(row), activity, self._told, time_ms, most_contexts)
        for row in set(columns[0]):
            of_generation.trends.put(_PARTITION, of_generation.catalogue.item_id(row), self._trends[row])

    def _vectors(self, places: Integers) -> Iterator[UserVector]:
        """Yield the vector of each user as it is after their event at each of `places`."""
        generation, few_events = self._generation, self._settings.ranking.few_events
        for first in range(0, len(places), _USERS_AT_ONCE):
            part = places[first : first + _USERS_AT_ONCE]
            starts = self._log.starts[part].tolist()
            states = [
                self._states.after(start, place + 1) for start, place in zip(starts, part.tolist(), strict=True)
            ]
            for query in hydrate(states, generation, few_events):
                vector = user_vector(query, generation.model.version, self._settings)
                if vector is None:
                    raise ValueError("an event leaves a history")
                yield vector


def _newest_of_each(users: Integers, places: Integers) -> Integers:
    """Return each user's last place; `places` of one user stand in the order of time."""
    _, from_the_end = np.unique(users[::-1], return_index=True)
    return places[::-1][from_the_end]
