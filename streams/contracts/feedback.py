"""What the state worker tells the feedback app (msgpack): accepted actions by user, counts by item."""

import msgspec

from streams.contracts.recommendations import Source


class UserAction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`user.actions.v1`, keyed by `user_id`: one accepted, de-duplicated event that names an item.

    Attributes:
        event_type: `EventType` as its position in that enumeration.
        event_time_ms: milliseconds since the epoch.
        value: the rating, where the event had one.
        recommendation_id: the slate that the event answers, where the producer knew it.
        source: the clickstream record that carried the event; makes a repeated action known as one.
    """

    schema_version: int
    user_id: str
    event_id: str
    event_type: int
    item_id: str
    event_time_ms: int
    value: float | None
    recommendation_id: str | None
    source: Source


class ItemActivity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`item.activity.v1`, keyed by `item_id`: what one batch of the state worker held about an item.

    Attributes:
        counts: accepted events by `EventType` (its position in that enumeration).
        stream_time_ms: the largest event time among them, milliseconds since the epoch.
        source: the newest clickstream record among them.
    """

    schema_version: int
    item_id: str
    counts: dict[int, int]
    stream_time_ms: int
    source: Source
