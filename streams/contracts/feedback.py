"""What the state worker tells the feedback app (msgpack): the accepted actions of users.

A record holds much of one batch of the state worker: one for each action would cost as much as all the folding
(ADR 5). It has no key: the partition says whose it is. A record with a key and no value on
`user.actions.v1` is the end of a user who was erased.
"""

import msgspec


class UserAction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One accepted, de-duplicated event that names an item.

    Attributes:
        event_type: `EventType` as its position in that enumeration.
        event_time_ms: milliseconds since the epoch.
        value: the rating, where the event had one.
        recommendation_id: the slate that the event answers, where the producer knew it.
        topic: of the record that carried the event, as a position in `TOPICS`. Topic and offset name the event,
            and make a repeated action known as one: those of a user grow.
        offset: of that record, on the same partition number as this one.
        create_time_ms: CreateTime of that record.
        context: what the event's `context` said in the field `state.trend_context`; absent where nothing is
            counted by it, None where the event does not tell.
    """

    user_id: str
    event_type: int
    item_id: str
    event_time_ms: int
    value: float | None
    recommendation_id: str | None
    topic: int
    offset: int
    create_time_ms: int
    context: str | None = None


class ActionBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`user.actions.v1`: what users of this partition did, each user's actions in the order of the log."""

    schema_version: int
    actions: tuple[UserAction, ...]
