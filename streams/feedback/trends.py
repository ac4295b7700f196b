"""Decayed counts of an item, in all and by context: pure.

They are the same whatever order the activity came in; of contexts this holds as long as all find room.
"""

from collections.abc import Iterable, Mapping
from math import exp
from typing import NamedTuple

import msgspec

from streams.codec import SCHEMA_VERSION
from streams.contracts import ItemTrend, UserAction
from streams.contracts.learning import TREND_HOURS, TrendCounts

FADED = 0.01
"""Of an action by the longest memory: what one action is after 32 days, and a thousand after 81."""
_HOUR_MS = 3_600_000


class Activity(NamedTuple):
    """What one record of actions holds about an item.

    Attributes:
        counts: actions by `EventType` (its position in that enumeration).
        newest_ms: the largest event time among them, milliseconds since the epoch.
        contexts: context -> `counts` of those of the actions that tell it.
    """

    item_id: str
    counts: dict[int, int]
    newest_ms: int
    contexts: dict[str, dict[int, int]]


def activities(actions: Iterable[UserAction]) -> list[Activity]:
    """Return what these actions say about each item, one each, in the order in which they name the items."""
    found: dict[str, Activity] = {}
    for action in actions:
        item_id, time_ms = action.item_id, action.event_time_ms
        known = found.get(item_id)
        if known is None:
            known = found[item_id] = Activity(item_id, {}, time_ms, {})
        _add_one(known.counts, action.event_type)
        if action.context is not None:
            _add_one(known.contexts.setdefault(action.context, {}), action.event_type)
        if time_ms > known.newest_ms:
            found[item_id] = known._replace(newest_ms=time_ms)
    return list(found.values())


def trend_after(
    trend: ItemTrend | None, activity: Activity, offset: int, now_ms: int, most_contexts: int
) -> ItemTrend:
    """Return the trend with one more activity; the same object when its record was counted before.

    A context that is new takes the place of the weakest where all places are taken, so that one that grows can
    come in and those of many actions stay. Of the other, only what is in `counts` remains.

    Args:
        offset: of the record that carried the activity.
        now_ms: the partition's stream time; activity that claims to be later counts as of now.
        most_contexts: that the trend may hold, at least 1.
    """
    if trend is None:
        trend = ItemTrend(SCHEMA_VERSION, activity.item_id, 0, {}, -1)
    if offset <= trend.offset:
        return trend
    time_ms = min(activity.newest_ms, now_ms)
    reference_ms = max(trend.time_ms, time_ms)
    weights = _weights(reference_ms - time_ms)
    known = decayed(trend, reference_ms)
    contexts = known.contexts
    for context, counts in activity.contexts.items():
        while context not in contexts and len(contexts) >= most_contexts:
            del contexts[min(contexts, key=lambda each: _strength(contexts[each]))]
        contexts[context] = _more(contexts.get(context, {}), counts, weights)
    return msgspec.structs.replace(
        known, time_ms=reference_ms, counts=_more(known.counts, activity.counts, weights), offset=offset
    )


def decayed(trend: ItemTrend, at_ms: int) -> ItemTrend:
    """Return the trend with its counts as they are at `at_ms`; a time before its own changes nothing."""
    weights = _weights(max(0, at_ms - trend.time_ms))
    return msgspec.structs.replace(
        trend,
        time_ms=max(at_ms, trend.time_ms),
        counts=_aged(trend.counts, weights),
        contexts={context: _aged(counts, weights) for context, counts in trend.contexts.items()},
    )


def faded(trend: ItemTrend, at_ms: int) -> bool:
    """Return whether at `at_ms` so little is left of the trend that it is as good as none: of no kind `FADED`."""
    weight = _weights(max(0, at_ms - trend.time_ms))[-1]
    return all(of_kind[-1] * weight < FADED for of_kind in trend.counts.values())


def _add_one(counts: dict[int, int], kind: int) -> None:
    counts[kind] = counts.get(kind, 0) + 1


def _more(before: TrendCounts, activity: Mapping[int, int], weights: tuple[float, ...]) -> TrendCounts:
    after = dict(before)
    for kind, count in activity.items():
        old = before.get(kind, (0.0,) * len(TREND_HOURS))
        after[kind] = tuple(value + count * weight for value, weight in zip(old, weights, strict=True))
    return after


def _aged(counts: TrendCounts, weights: tuple[float, ...]) -> TrendCounts:
    return {
        kind: tuple(count * weight for count, weight in zip(of_kind, weights, strict=True))
        for kind, of_kind in counts.items()
    }


def _strength(counts: TrendCounts) -> float:
    """Return how much was done in all, by the longest memory."""
    return sum(of_kind[-1] for of_kind in counts.values())


def _weights(age_ms: int) -> tuple[float, ...]:
    return tuple(exp(-age_ms / (hours * _HOUR_MS)) for hours in TREND_HOURS)
