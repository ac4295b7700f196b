"""Prequential accuracy: every event first tests the slate that was there, then counts for what follows.

Beside Headrace stands popularity as it was at the same moment: interactions of all users so far, each losing
half its weight in seven days, the user's own items left out.
"""

from math import log2

import numpy as np

from streams.contracts import Event, EventType

DEPTH = 10
HALF_LIFE_SECONDS = 7 * 86_400.0


class Accuracy:
    """Hit rate and NDCG at 10, one relevant item a test."""

    def __init__(self) -> None:
        self._tests = 0
        self._hits = 0
        self._gain = 0.0

    def add(self, rank: int | None) -> None:
        """Count a test; `rank` from 1, None when the item was not in the slate."""
        self._tests += 1
        if rank is not None and rank <= DEPTH:
            self._hits += 1
            self._gain += 1.0 / log2(rank + 1)

    @property
    def hit_rate_at_10(self) -> float:
        """Share of tests whose item stood among the first ten; 0 before the first test."""
        return self._hits / max(1, self._tests)

    @property
    def ndcg_at_10(self) -> float:
        """Mean of 1 / log2(rank + 1) over all tests, 0 beyond rank 10."""
        return self._gain / max(1, self._tests)


class Popularity:
    """Decayed counts of interactions, and what each user has had.

    A count is kept as log2 of the sum of 2^(event time / half-life): the decay to any later moment is then
    the same factor for all items, so that an event changes one number, and no time span overflows.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._log2_counts = np.full(1024, -np.inf)
        self._seen: dict[str, set[int]] = {}

    def add(self, user_id: str, item_id: str, epoch_seconds: float) -> None:
        """Count one interaction."""
        place = self._places.setdefault(item_id, len(self._places))
        if place == len(self._log2_counts):
            self._log2_counts = np.concatenate([self._log2_counts, np.full(place, -np.inf)])
        weight = epoch_seconds / HALF_LIFE_SECONDS
        self._log2_counts[place] = np.logaddexp2(self._log2_counts[place], weight)
        self._seen.setdefault(user_id, set()).add(place)

    def rank(self, user_id: str, item_id: str) -> int | None:
        """Return the item's place (from 1) among the items that the user has not had, or None.

        Equal counts stand in the order in which the items were first met.
        """
        place, seen = self._places.get(item_id), self._seen.get(user_id, set())
        if place is None or place in seen:
            return None
        counts = self._log2_counts
        count = counts[place]
        ahead = int(np.count_nonzero(counts > count)) + int(np.count_nonzero(counts[:place] == count))
        known = np.fromiter(seen, np.int64, len(seen))
        theirs = counts[known]
        ahead -= int(np.count_nonzero((theirs > count) | ((theirs == count) & (known < place))))
        return ahead + 1


class Prequential:
    """Scores a replay while it runs.

    Attributes:
        headrace: of the slates.
        popularity: of what was most popular at the same moments.
    """

    def __init__(self) -> None:
        self._counts = Popularity()
        self.headrace = Accuracy()
        self.popularity = Accuracy()

    def learn(self, event: Event) -> None:
        """Count an interaction that tests nothing."""
        if event.item_id is not None and event.event_type is not EventType.IMPRESSION:
            self._counts.add(event.user_id, event.item_id, event.event_time.timestamp())

    def test(self, event: Event, slate: tuple[str, ...]) -> None:
        """Score an event that is about to be sent, then count it.

        A search names no item, and an impression is the shop's choice, not the user's: they test nothing.
        `slate` holds the item ids of the user's newest slate that was read so far; empty is a miss.
        """
        if event.item_id is None or event.event_type is EventType.IMPRESSION:
            return
        self.headrace.add(slate.index(event.item_id) + 1 if event.item_id in slate else None)
        self.popularity.add(self._counts.rank(event.user_id, event.item_id))
        self.learn(event)
