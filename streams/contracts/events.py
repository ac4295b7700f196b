"""`clickstream.events.v1`: one thing that one user did. JSON, keyed by `user_id`."""

from enum import StrEnum
from math import isfinite

import msgspec

from streams.contracts.fields import Count, Identifier, Moment, Scalar, Text


class EventType(StrEnum):
    """What the user did. An unknown type is rejected, never guessed."""

    IMPRESSION = "impression"
    VIEW = "view"
    CLICK = "click"
    ADD_TO_CART = "add_to_cart"
    PURCHASE = "purchase"
    LIKE = "like"
    DISLIKE = "dislike"
    RATING = "rating"
    SEARCH = "search"
    UNLIKE = "unlike"
    UNRATE = "unrate"

    def __init__(self, _: str) -> None:
        self.code = len(type(self).__members__)
        """The type's position in this enumeration, its number in internal messages. New types go last."""


ITEMLESS = frozenset({EventType.SEARCH})
"""Types that need no `item_id`."""

DECISIONS = frozenset({EventType.LIKE, EventType.DISLIKE, EventType.RATING, EventType.UNLIKE, EventType.UNRATE})
"""Types of which only the newest stands, by user and item."""

RETRACTIONS = frozenset({EventType.UNLIKE, EventType.UNRATE})
"""Decisions to have no opinion: they take back whatever decision on the item is older."""

_SEARCH, _RATING = EventType.SEARCH, EventType.RATING


class EventFields(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="schema_version",
    tag=1,
    gc=False,
):
    """The fields of an event, each right by itself; those of an `Event` fit together too."""

    event_id: Identifier
    event_type: EventType
    user_id: Identifier
    event_time: Moment
    item_id: Identifier | None = None
    session_id: Identifier | None = None
    value: float | None = None
    quantity: Count | None = None
    query: Text | None = None
    context: dict[str, Scalar] = msgspec.field(default_factory=dict)
    recommendation_id: Identifier | None = None
    anonymous_id: Identifier | None = None

    def misfit(self) -> str | None:
        """Return what does not fit together, or None."""
        kind = self.event_type
        if kind is _SEARCH:
            if not self.query:
                return "event_type 'search' needs a query"
        elif self.item_id is None:
            return f"event_type {kind.value!r} needs an item_id"
        if self.value is not None:
            if not isfinite(self.value):
                return "value must be finite"
        elif kind is _RATING:
            return "event_type 'rating' needs a value"
        if not 1990 <= self.event_time.year <= 2200:
            return "event_time must lie between 1990 and 2200"
        return None


class Event(EventFields, frozen=True, tag=1):
    """One thing that one user did.

    Attributes:
        event_id: unique per event; a repeated id is the same event.
        event_type: `unlike` takes a like or dislike back, `unrate` a rating; see `DECISIONS`.
        event_time: when it happened, by the producer's clock.
        item_id: required by every type but `search`.
        query: the words searched for; required by `search`.
        value: required by `rating`; its scale is the setting `state.rating_scale`.
        recommendation_id: the slate that this event answers, where the producer knows it.
        anonymous_id: the visitor id from before the user was known.

    Raises:
        ValueError: a required field is missing or a number is not finite
            (msgspec turns it into a `ValidationError` while decoding).
    """

    def __post_init__(self) -> None:
        if misfit := self.misfit():
            raise ValueError(misfit)
