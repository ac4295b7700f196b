"""What feedback learns (msgpack): labelled examples by user, decayed counts by item."""

from hashlib import blake2b
from typing import Literal

import msgspec

Evidence = Literal["impression", "slate"]
"""How it is known that an item was offered: `impression` (the producer said that it was on the screen) or
`slate` (its slate stood while the user acted)."""

TREND_HOURS = (1, 24, 168)
"""Memory of the counts of an `ItemTrend`, in hours of stream time."""

TrendCounts = dict[int, tuple[float, ...]]
"""`EventType` (its position in that enumeration) -> a decayed count for each of `TREND_HOURS`."""


class TrainingExample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`training.examples.v1`, keyed by `user_id`: one item that was offered to a user, and what came of it.

    Attributes:
        example_id: see `example_id()`; a reader keeps the last record of an id.
        position: rank in the slate, from 1.
        outcomes: what the user did with the item, `EventType` (its position in that enumeration) -> times; empty
            when nothing.
        value: the newest rating among the outcomes.
        sources: codes of the reasons that the slate gave for the item.
        propensity: chance that the user looked at the item, by position; see `streams.feedback.examples`.
        slate_time_ms: the user's time when the slate was made, milliseconds since the epoch.
        exposure_time_ms: of the first impression, or `slate_time_ms`.
        outcome_time_ms: of the first outcome.
    """

    schema_version: int
    example_id: str
    user_id: str
    recommendation_id: str
    item_id: str
    position: int
    outcomes: dict[int, int]
    value: float | None
    model_version: str
    sources: tuple[str, ...]
    propensity: float
    evidence: Evidence
    slate_time_ms: int
    exposure_time_ms: int
    outcome_time_ms: int | None


class ItemTrend(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`item.trends.v1`, keyed by `item_id`: how much the users of one partition do with an item lately.

    Partition p of the topic says it of the users of partition p; the whole is the sum over the partitions.

    A context is a value of the field `state.trend_context` of the events' own `context`, such as a country. What
    users did in one is in `counts` too, so that no sum over contexts exceeds them.

    Attributes:
        time_ms: the stream time that the counts are decayed to, milliseconds since the epoch.
        counts: `EventType` (its position in that enumeration) -> one decayed count for each of `TREND_HOURS`; an
            event that is h hours old weighs exp(-h / hours).
        offset: of the newest `user.actions.v1` record in it.
        contexts: context -> `counts` of what was done there; `feedback.contexts_per_item` of them at most.
    """

    schema_version: int
    item_id: str
    time_ms: int
    counts: TrendCounts
    offset: int
    contexts: dict[str, TrendCounts] = msgspec.field(default_factory=dict)


def example_id(recommendation_id: str, item_id: str) -> str:
    """Return 32 hexadecimal digits that name one item of one slate."""
    return blake2b(msgspec.json.encode((recommendation_id, item_id)), digest_size=16).hexdigest()
