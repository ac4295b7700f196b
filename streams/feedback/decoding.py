"""From raw records to what the feedback app can use. Total: what cannot be used is a `Rejected` value."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from streams.codec import (
    UNREADABLE,
    decode_action_batch,
    decode_recommendation,
    unreadable,
)
from streams.contracts import ActionBatch, Recommendation, Record, Rejected
from streams.contracts.users import TOPICS
from streams.feedback.join_state import TYPES
from streams.privacy.receipts import erasure_of
from streams.topics import RECOMMENDATIONS, USER_ACTIONS

Message = ActionBatch | Recommendation


class Erased(NamedTuple):
    """A null on `recommendations.v1` or `user.actions.v1`: the user was erased.

    Attributes:
        erasure_id: None where the null does not say which erasure it follows from.
    """

    user_id: str
    erasure_id: str | None


Heard = tuple[Record, Message | Erased | Rejected]
"""A record, and what it says or why it says nothing."""


def heard(records: Iterable[Record]) -> list[Heard]:
    """Return the records with what they say."""
    return [(record, decoded(record)) for record in records]


def decoded(record: Record) -> Message | Erased | Rejected:
    """Return the message of a record of any source topic, or why there is none."""
    if record.value is not None:
        return _message(record, record.value)
    if record.key is None:
        return Rejected(record, "keyless", "a null needs the user_id as key")
    return Erased(record.key.decode(errors="replace"), erasure_of(record.headers))


def _message(record: Record, value: bytes) -> Message | Rejected:
    try:
        message = _DECODERS[record.topic](value)
    except UNREADABLE as error:
        return unreadable(record, error)
    if isinstance(message, Recommendation):
        return message if record.key == message.user_id.encode() else _mis_keyed(record, repr(message.user_id))
    if record.key is not None:
        return _mis_keyed(record, "missing: what is said of many has none")
    wrong = _wrong(message)
    return message if wrong is None else Rejected(record, "invalid", wrong)


def _mis_keyed(record: Record, right: str) -> Rejected:
    if record.key is None:
        return Rejected(record, "keyless", f"the record needs a key, {right}")
    return Rejected(record, "key_mismatch", f"the key is not {right}")


def _wrong(message: ActionBatch) -> str | None:
    """Return what no schema says."""
    if not {action.topic for action in message.actions} <= _TOPICS:
        return "a source is none that is known"
    known = {action.event_type for action in message.actions} <= _KINDS
    return None if known else "an event type is none that is known"


_KINDS = set(range(len(TYPES)))
_TOPICS = set(range(len(TOPICS)))
_DECODERS: dict[str, Callable[[bytes], Message]] = {
    USER_ACTIONS: decode_action_batch,
    RECOMMENDATIONS: decode_recommendation,
}
