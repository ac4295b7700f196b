"""Reasons and deeds as a person says them. Every sentence is a template over what is stored, and adds nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from streams.contracts import EventType, Reason

_REASONS: Final[Mapping[str, str]] = {
    "learned": "fits your taste",
    "popular": "popular now",
    "trending": "picked up lately",
    "lookalike": "liked by people like you",
    "neighbours": "near what you did last",
    "covisited": "others went on to it from what you did last",
    "together": "goes with what you did",
    "query": "like what you asked for",
    "text": "described like what you did last",
    "pinned": "placed here by the shop",
    "no_history": "nothing known yet",
    "few_events": "little known yet",
    "similar_item": "because of {item}",
}
_SILENT: Final = frozenset({"history"})
"""The usual case needs no word."""
_DEEDS: Final[Mapping[EventType, str]] = {
    EventType.VIEW: "you looked at {item}",
    EventType.CLICK: "you clicked {item}",
    EventType.ADD_TO_CART: "you put {item} in the cart",
    EventType.PURCHASE: "you bought {item}",
    EventType.LIKE: "you liked {item}",
    EventType.DISLIKE: "you disliked {item}",
    EventType.RATING: "you rated {item} {value:g}",
}


def why_words(reasons: Sequence[Reason], titles: Mapping[str, str]) -> list[str]:
    """Return the reasons as a person says them, the most telling first; an unknown code stands for itself.

    Args:
        titles: by item id; the id stands for a title that is not there.
    """
    told = [reason for reason in reasons if reason.code not in _SILENT]
    own_first = sorted(told, key=lambda reason: reason.item_id is None)
    return [_words(reason, titles) for reason in own_first]


def _words(reason: Reason, titles: Mapping[str, str]) -> str:
    words = _REASONS.get(reason.code, reason.code).format(item=titles.get(reason.item_id or "", reason.item_id))
    return words if reason.context is None else f"{words} in {reason.context}"


def deed_words(kind: EventType, item_id: str, value: float | None, titles: Mapping[str, str]) -> str:
    """Return an event of a history as its user would hear it."""
    return _DEEDS.get(kind, kind.value + " {item}").format(item=titles.get(item_id, item_id), value=value)
