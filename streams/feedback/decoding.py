"""From raw records to what the feedback app can use. Total: what cannot be used is a `Rejected` value."""

from collections.abc import Callable
from typing import NamedTuple

from streams.codec import (
    UNREADABLE,
    decode_item_activity,
    decode_recommendation,
    decode_user_action,
    unreadable,
)
from streams.contracts import ItemActivity, Recommendation, Record, Rejected, UserAction
from streams.feedback.join_state import TYPES
from streams.privacy.receipts import erasure_of
from streams.topics import ITEM_ACTIVITY, RECOMMENDATIONS, USER_ACTIONS

Message = UserAction | Recommendation | ItemActivity


class Erased(NamedTuple):
    """A null on `recommendations.v1` or `user.actions.v1`: the user was erased.

    Attributes:
        erasure_id: None where the null does not say which erasure it follows from.
    """

    user_id: str
    erasure_id: str | None


def decoded(record: Record) -> Message | Erased | Rejected:
    """Return the message of a record of any source topic, or why there is none."""
    if record.key is None:
        return Rejected(record, "keyless", "the record needs its user_id or item_id as key")
    if record.value is not None:
        return _message(record, record.key, record.value)
    if record.topic in (RECOMMENDATIONS, USER_ACTIONS):
        return Erased(record.key.decode(errors="replace"), erasure_of(record.headers))
    return Rejected(record, "empty", "the record needs a value")


def _message(record: Record, key: bytes, value: bytes) -> Message | Rejected:
    try:
        message = _DECODERS[record.topic](value)
    except UNREADABLE as error:
        return unreadable(record, error)
    if any(not 0 <= kind < len(TYPES) for kind in _kinds(message)):
        return Rejected(record, "invalid", "an event type is none that is known")
    name = message.item_id if isinstance(message, ItemActivity) else message.user_id
    return message if name.encode() == key else Rejected(record, "key_mismatch", f"the key is not {name!r}")


def _kinds(message: Message) -> set[int]:
    if isinstance(message, UserAction):
        return {message.event_type}
    return set(message.counts) if isinstance(message, ItemActivity) else set()


_DECODERS: dict[str, Callable[[bytes], Message]] = {
    USER_ACTIONS: decode_user_action,
    RECOMMENDATIONS: decode_recommendation,
    ITEM_ACTIVITY: decode_item_activity,
}
