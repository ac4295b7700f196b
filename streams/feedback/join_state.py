"""What the join remembers of one user: slates that may still be answered, actions that may still answer one."""

from collections.abc import Iterator

import msgspec

from streams.clock import to_ms
from streams.codec import SCHEMA_VERSION
from streams.contracts import EventType, Recommendation, Source, UserAction
from streams.contracts.events import RETRACTIONS
from streams.contracts.users import TOPICS

TYPES = tuple(EventType)
IMPRESSION = TYPES.index(EventType.IMPRESSION)
RETRACTED = frozenset(TYPES.index(kind) for kind in RETRACTIONS)
"""Kinds that take an act back: part of an example's outcomes, and nothing that a rate may count as taken."""
_NO_SOURCE = frozenset({"no_history", "few_events", "history", "similar_item"})
"""Reasons that say how much is known of the user, or name an item of theirs."""


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One place of a slate; `position` counts from 1."""

    item_id: str
    position: int
    sources: tuple[str, ...]


class OpenSlate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A slate that an action may still answer.

    Attributes:
        time_ms: the user's time when it was made (`last_event_time`).
        made_ms: `generated_at`; orders slates of one user's time.
        topic, offset, create_ms: the clickstream record that caused it.
        stood: an action that is kept no more found it as the newest slate.
        counted: metrics have counted its places as offered.
    """

    recommendation_id: str
    time_ms: int
    made_ms: int
    topic: str
    offset: int
    create_ms: int
    model_version: str
    places: tuple[Place, ...]
    stood: bool = False
    counted: bool = False

    @property
    def age_key(self) -> tuple[int, int, str]:
        """Return what orders the slates of a user, oldest first."""
        return self.time_ms, self.made_ms, self.recommendation_id

    def place_of(self, item_id: str) -> Place | None:
        """Return the place of an item, or None when the slate lacks it."""
        return next((place for place in self.places if place.item_id == item_id), None)


class KeptAction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An action whose slate is still open, or did not come yet.

    Attributes:
        topic, offset, create_ms: the clickstream record that carried it.
        target: the slate that it answers, as far as is known now.
        standing: the newest slate when it was done, as far as is known now.
    """

    event_type: int
    item_id: str
    time_ms: int
    value: float | None
    recommendation_id: str | None
    topic: str
    offset: int
    create_ms: int
    target: str | None = None
    standing: str | None = None


class JoinState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything that is kept of one user.

    Attributes:
        partition: of every user-keyed topic.
        applied: topic -> largest offset of this partition that was applied; for the clickstream topics, the
            largest offset that an action named as its source.
        stream_time_ms: the partition's stream time at the last change.
        slates: oldest first by `age_key`.
        actions: in the order of arrival.
        closed: ids of the newest slates that were closed before their window was over.
    """

    schema_version: int
    user_id: str
    partition: int
    applied: dict[str, int]
    stream_time_ms: int
    slates: tuple[OpenSlate, ...] = ()
    actions: tuple[KeptAction, ...] = ()
    closed: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self.slates and not self.actions

    def slate(self, recommendation_id: str | None) -> OpenSlate | None:
        """Return the open slate with this id, or None."""
        return next((slate for slate in self.slates if slate.recommendation_id == recommendation_id), None)

    def aimed_at(self, recommendation_id: str) -> Iterator[KeptAction]:
        """Return the actions that answer this slate."""
        return (action for action in self.actions if action.target == recommendation_id)


def new_state(user_id: str, partition: int) -> JoinState:
    """Return the state of a user of whom nothing is known."""
    return JoinState(SCHEMA_VERSION, user_id, partition, {}, 0)


def slate_of(message: Recommendation) -> OpenSlate:
    """Return a published slate as the join keeps it."""
    source: Source = message.source
    places = tuple(
        Place(item.item_id, item.rank, tuple(reason.code for reason in item.reasons if reason.item_id is None))
        for item in message.items
    )
    return OpenSlate(
        recommendation_id=message.recommendation_id,
        time_ms=to_ms(message.last_event_time),
        made_ms=to_ms(message.generated_at),
        topic=source.topic,
        offset=source.offset,
        create_ms=source.create_time_ms,
        model_version=message.model_version,
        places=places,
    )


def kept(action: UserAction) -> KeptAction:
    """Return an action as the join keeps it."""
    return KeptAction(
        event_type=action.event_type,
        item_id=action.item_id,
        time_ms=action.event_time_ms,
        value=action.value,
        recommendation_id=action.recommendation_id,
        topic=TOPICS[action.topic],
        offset=action.offset,
        create_ms=action.create_time_ms,
    )


def lead_source(sources: tuple[str, ...]) -> str:
    """Return the one code that metrics count a place under: the first source that proposed it."""
    return next((code for code in sources if code not in _NO_SOURCE), "unknown")


decode_join_state = msgspec.msgpack.Decoder(JoinState).decode
