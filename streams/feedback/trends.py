"""Decayed counts of an item: pure, and the same whatever order the activity came in."""

from collections.abc import Iterable
from math import exp
from typing import NamedTuple

import msgspec

from streams.codec import SCHEMA_VERSION
from streams.contracts import ItemTrend, UserAction
from streams.contracts.learning import TREND_HOURS

_HOUR_MS = 3_600_000


class Activity(NamedTuple):
    """What one record of actions holds about an item.

    Attributes:
        counts: actions by `EventType` (its position in that enumeration).
        newest_ms: the largest event time among them, milliseconds since the epoch.
    """

    item_id: str
    counts: dict[int, int]
    newest_ms: int


def activities(actions: Iterable[UserAction]) -> list[Activity]:
    """Return what these actions say about each item, one each, in the order in which they name the items."""
    found: dict[str, Activity] = {}
    for action in actions:
        item_id, time_ms = action.item_id, action.event_time_ms
        before = found.get(item_id)
        if before is None:
            found[item_id] = Activity(item_id, {action.event_type: 1}, time_ms)
            continue
        before.counts[action.event_type] = before.counts.get(action.event_type, 0) + 1
        if time_ms > before.newest_ms:
            found[item_id] = before._replace(newest_ms=time_ms)
    return list(found.values())


def trend_after(trend: ItemTrend | None, activity: Activity, offset: int, now_ms: int) -> ItemTrend:
    """Return the trend with one more activity; the same object when its record was counted before.

    Args:
        offset: of the record that carried the activity.
        now_ms: the partition's stream time; activity that claims to be later counts as of now.
    """
    if trend is None:
        trend = ItemTrend(SCHEMA_VERSION, activity.item_id, 0, {}, -1)
    if offset <= trend.offset:
        return trend
    time_ms = min(activity.newest_ms, now_ms)
    reference_ms = max(trend.time_ms, time_ms)
    counts = decayed(trend, reference_ms)
    weights = _weights(reference_ms - time_ms)
    for kind, count in activity.counts.items():
        before = counts.get(kind, (0.0,) * len(TREND_HOURS))
        counts[kind] = tuple(old + count * weight for old, weight in zip(before, weights, strict=True))
    return msgspec.structs.replace(trend, time_ms=reference_ms, counts=counts, offset=offset)


def decayed(trend: ItemTrend, at_ms: int) -> dict[int, tuple[float, ...]]:
    """Return the counts as they are at `at_ms`; a time before the trend's own changes nothing."""
    weights = _weights(max(0, at_ms - trend.time_ms))
    return {
        kind: tuple(count * weight for count, weight in zip(counts, weights, strict=True))
        for kind, counts in trend.counts.items()
    }


def _weights(age_ms: int) -> tuple[float, ...]:
    return tuple(exp(-age_ms / (hours * _HOUR_MS)) for hours in TREND_HOURS)
