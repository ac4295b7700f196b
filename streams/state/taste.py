"""What a history says of the user's taste: how much each item speaks for it, or against it."""

from collections.abc import Mapping
from types import MappingProxyType

from streams.contracts import EventType, UserState
from streams.contracts.events import DECISIONS, RETRACTIONS
from streams.contracts.users import END, RATING, TYPES
from streams.errors import SettingError
from streams.settings.state import RatingScale

_RATING = EventType.RATING.code
_DECIDING = frozenset(kind.code for kind in DECISIONS - RETRACTIONS)
_RETRACTED = frozenset(kind.code for kind in RETRACTIONS)
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


_WEIGHTS = tuple(WEIGHTS[kind] for kind in EventType)


def taste(state: UserState, scale: RatingScale) -> dict[str, float]:
    """Return how much each item of the history speaks for the user's taste (positive) or against it, oldest first.

    Where a decision stands (like, dislike, rating), it alone counts: a purchase that was disliked speaks
    against. Items stand in the order of their newest interaction. Runs for every slate, so over the columns.
    """
    middle, reach = (scale.low + scale.high) / 2, (scale.high - scale.low) / 2
    ratings = RATING.iter_unpack(state.rating_column)
    decided: set[bytes] = set()
    found: dict[bytes, float] = {}
    for item, code in zip(state.item_column.split(END), state.row_column[TYPES], strict=False):  # an END ends each
        weight = _WEIGHTS[code]
        if code == _RATING:
            weight *= (next(ratings)[0] - middle) / reach
        elif code in _RETRACTED:
            continue
        before = found.pop(item, 0.0)
        if code in _DECIDING:
            decided.add(item)
            before = 0.0
        elif item in decided:
            weight = 0.0
        found[item] = before + weight
    return {item.decode(): weight for item, weight in found.items()}
