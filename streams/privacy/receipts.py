"""The receipt of an erasure: what is gone, and what goes with its topic's retention or compaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from streams.codec import encode_json
from streams.contracts import Headers, Output
from streams.contracts.privacy import Cleared, Receipt, Retained
from streams.topics import (
    CLICKSTREAM,
    ERASURES,
    RANKING_ANSWERS,
    RANKING_QUERIES,
    RANKING_REQUESTS,
    RECEIPTS,
    RECOMMENDATIONS,
    REKEYED,
    TRAINING_EXAMPLES,
    USER_ACTIONS,
    USER_STATE,
    USER_VECTORS,
    Topic,
    dead_letters,
    topic_named,
)

ERASURE_HEADER: Final = "headrace.erasure"
"""Carries the id of the erasure on every null that follows from it, so that each reader can write its receipt."""

_BAD = "what could not be used"
_OLD = "older values, which lie there until the topic is compacted"
_RETAINED = {
    CLICKSTREAM: "events as they were sent",
    REKEYED: "events that were passed on to the partition of their user",
    USER_STATE: _OLD,
    USER_VECTORS: _OLD,
    RECOMMENDATIONS: _OLD,
    RANKING_REQUESTS: "requests as they were sent",
    RANKING_QUERIES: "requests with the vectors of their words",
    RANKING_ANSWERS: "answers to requests",
    USER_ACTIONS: "actions for the feedback app, which forgets them",
    TRAINING_EXAMPLES: "examples to train from",
    dead_letters(CLICKSTREAM): _BAD,
    dead_letters(REKEYED): _BAD,
    dead_letters(ERASURES): _BAD,
    dead_letters(RANKING_REQUESTS): _BAD,
    dead_letters(RANKING_QUERIES): _BAD,
    dead_letters(USER_STATE): _BAD,
    dead_letters(USER_ACTIONS): _BAD,
    dead_letters(RECOMMENDATIONS): _BAD,
    ERASURES: "the request itself",
    RECEIPTS: "this receipt",
}
_UNBOUNDED = (
    Retained("models.v1", "weights learned from the user's acts, until a training without them takes their place"),
    Retained("changelog of the feedback tables", _OLD),
)


def receipt(worker: str, erasure_id: str, user_id: str, what: Sequence[str], at: datetime) -> Receipt:
    """Return the receipt of one worker.

    Args:
        what: topics and memory that are cleared.
        at: now.
    """
    kept = (Retained(name, why, at + topic_named(name).gone_within) for name, why in _RETAINED.items())
    return Receipt(
        erasure_id=erasure_id,
        user_id=user_id,
        worker=worker,
        cleared=tuple(Cleared(name, at) for name in what),
        retained=(*kept, *_UNBOUNDED) if worker == "state" else (),
    )


def retained_topics() -> list[Topic]:
    """Return the topics of which a receipt of the state worker says by when they have lost a user."""
    return [topic_named(name) for name in _RETAINED]


def receipt_record(partition: int, message: Receipt) -> Output:
    """Return the record that publishes a receipt."""
    return Output(RECEIPTS, partition, message.user_id.encode(), encode_json(message))


def erasure_of(headers: Headers) -> str | None:
    """Return the id of the erasure that a null follows from, or None where it follows from none."""
    found = (value.decode(errors="replace") for name, value in headers if name == ERASURE_HEADER and value)
    return next(found, None)
