"""What a history says of the user's taste: how much each item speaks for it, or against it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from streams.contracts import EventType, Interaction
from streams.contracts.events import DECISIONS, RETRACTIONS
from streams.errors import SettingError
from streams.settings.state import RatingScale

_TYPES = tuple(EventType)
_SILENT = frozenset({EventType.IMPRESSION, EventType.SEARCH}) | RETRACTIONS
_AGAINST = frozenset({EventType.DISLIKE})


def checked(weights: Mapping[EventType, float]) -> Mapping[EventType, float]:
    """Return the weights, frozen.

    Raises:
        SettingError: a type is missing, or its sign says the opposite of what the type means.
    """
    for kind in EventType:
        sign = 0 if kind in _SILENT else -1 if kind in _AGAINST else 1
        weight = weights.get(kind)
        if weight is None or (weight > 0) - (weight < 0) != sign:
            meant = {0: "zero", -1: "negative", 1: "positive"}[sign]
            raise SettingError(
                f"The weight of {kind.value!r} is {weight}; it must be {meant}.", "correct WEIGHTS in this file."
            )
    return MappingProxyType(dict(weights))


WEIGHTS = checked(
    {
        EventType.IMPRESSION: 0.0,
        EventType.VIEW: 1.0,
        EventType.CLICK: 1.0,
        EventType.ADD_TO_CART: 2.0,
        EventType.PURCHASE: 4.0,
        EventType.LIKE: 4.0,
        EventType.DISLIKE: -4.0,
        EventType.RATING: 4.0,
        EventType.SEARCH: 0.0,
        EventType.UNLIKE: 0.0,
        EventType.UNRATE: 0.0,
    }
)
"""Of one interaction; a rating's is scaled by its distance from the middle of the scale, and takes its sign."""


def taste(history: Iterable[Interaction], scale: RatingScale) -> dict[str, float]:
    """Return how much each item of a history speaks for the user's taste (positive) or against it, oldest first.

    Where a decision stands (like, dislike, rating), it alone counts: a purchase that was disliked speaks
    against. Items stand in the order of their newest interaction.
    """
    decided: set[str] = set()
    found: dict[str, float] = {}
    for past in history:
        before = found.pop(past.item_id, 0.0)
        if _TYPES[past.event_type] in DECISIONS:
            decided.add(past.item_id)
            before = 0.0
        elif past.item_id in decided:
            found[past.item_id] = before
            continue
        found[past.item_id] = before + weight_of(past, scale)
    return found


def weight_of(past: Interaction, scale: RatingScale) -> float:
    """Return the weight of one interaction."""
    kind = _TYPES[past.event_type]
    if kind is not EventType.RATING or past.value is None:
        return WEIGHTS[kind]
    middle = (scale.low + scale.high) / 2
    return WEIGHTS[kind] * (past.value - middle) / (scale.high - middle)
