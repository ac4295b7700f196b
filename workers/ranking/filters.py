"""What may not be shown. A filter says which candidates of the batch to keep, and what it removes has its name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from streams.settings.ranking import RankingSettings
from workers.ranking.candidates import Candidates, Query, among
from workers.ranking.catalogue import Mask
from workers.ranking.generation import Generation

Keep = Callable[[Sequence[Query], Candidates, Generation, int], Mask]


class Filter(NamedTuple):
    """A named rule; `keep(queries, candidates, generation, now_ms)` returns bool (c,).

    Attributes:
        why: the rule in words, for a person.
    """

    name: str
    keep: Keep
    why: str


class Removed(NamedTuple):
    """What one filter took out of a batch."""

    filter: Filter
    candidates: Candidates


def not_seen(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep what the user has not acted on."""
    return ~among(candidates, (query.seen for query in queries))


def not_bought(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep what the user has not bought."""
    return ~among(candidates, (query.bought for query in queries))


def not_disliked(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep what the user's newest opinion was not a dislike of."""
    return ~among(candidates, (query.disliked for query in queries))


def is_available(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep what is in the catalogue and available."""
    return generation.catalogue.available[candidates.rows]


def is_current(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep what has not expired at `now_ms`, milliseconds since the epoch."""
    kept: Mask = generation.catalogue.expires_at_ms[candidates.rows] > now_ms
    return kept


def not_excluded(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep what the settings do not name."""
    return ~generation.catalogue.policy.excluded[candidates.rows]


SEEN = Filter("seen", not_seen, "the user has acted on it")
BOUGHT = Filter("bought", not_bought, "the user has bought it")
DISLIKED = Filter("disliked", not_disliked, "the user disliked it")
UNAVAILABLE = Filter("unavailable", is_available, "it is sold out or not in the catalogue")
EXPIRED = Filter("expired", is_current, "its time is over")
EXCLUDED = Filter("excluded", not_excluded, "ranking.excluded_items names it")


def built_in(settings: RankingSettings) -> list[Filter]:
    """Return the filters that the settings switch on, those with the most telling names first."""
    found = [UNAVAILABLE, EXPIRED]
    if settings.excluded_items:
        found.append(EXCLUDED)
    found += [rule(place, text) for place, text in enumerate(settings.rules)]
    wanted = (
        (settings.exclude_bought, BOUGHT),
        (settings.exclude_disliked, DISLIKED),
        (settings.exclude_seen, SEEN),
    )
    return found + [each for on, each in wanted if on]


def rule(place: int, text: str) -> Filter:
    """Return the filter of expression number `place` of `ranking.rules`."""

    def keep(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
        allowed: Mask = generation.catalogue.policy.allowed[place, candidates.rows]
        return allowed

    return Filter(f"rule_{place}", keep, f"it does not meet `{text}`")


def sift(
    filters: Sequence[Filter],
    queries: Sequence[Query],
    candidates: Candidates,
    generation: Generation,
    now_ms: int,
) -> tuple[Candidates, list[Removed]]:
    """Return what all filters keep, and what each of them removed of what those before it kept."""
    removed = []
    for each in filters:
        mask = np.asarray(each.keep(queries, candidates, generation, now_ms))
        if not mask.all():
            removed.append(Removed(each, candidates.keep(~mask)))
            candidates = candidates.keep(mask)
    return candidates, removed
