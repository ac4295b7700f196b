"""The receipt of an erasure: what is gone, and what goes with its topic's retention."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from streams.codec import encode_json
from streams.contracts import Output
from streams.contracts.privacy import Cleared, Receipt, Retained
from streams.topics import (
    CLICKSTREAM,
    ERASURES,
    ITEM_ACTIVITY,
    RECEIPTS,
    REKEYED,
    USER_ACTIONS,
    dead_letters,
    retention,
)

ERASURE_HEADER: Final = "headrace.erasure"
"""Carries the id of the erasure on the null record of `user.state.v1`, so that readers can write their receipt."""

_RETAINED = {
    CLICKSTREAM: "events as they were sent",
    REKEYED: "events that were passed on to the partition of their user",
    dead_letters(CLICKSTREAM): "events that could not be used",
    dead_letters(REKEYED): "events that could not be used",
    USER_ACTIONS: "actions for the feedback app, whose windows are shorter",
    ITEM_ACTIVITY: "counts by item; they name no user",
    "training.examples.v1": "examples to train from",
    ERASURES: "the request itself",
    RECEIPTS: "this receipt",
}
_MODELS = Retained("models.v1", "weights learned from the user's acts; the next training no longer sees them")


def receipt(worker: str, erasure_id: str, user_id: str, what: Sequence[str], at: datetime) -> Receipt:
    """Return the receipt of one worker.

    Args:
        what: topics and memory that are cleared.
        at: now.
    """
    kept = [
        Retained(topic, why, at + kept_for)
        for topic, why in _RETAINED.items()
        if (kept_for := retention(topic)) is not None
    ]
    return Receipt(
        erasure_id=erasure_id,
        user_id=user_id,
        worker=worker,
        cleared=tuple(Cleared(name, at) for name in what),
        retained=(*kept, _MODELS) if worker == "state" else (),
    )


def receipt_record(partition: int, message: Receipt) -> Output:
    """Return the record that publishes a receipt."""
    return Output(RECEIPTS, partition, message.user_id.encode(), encode_json(message))
