"""What each error of a transaction asks for: one table, read from the top, the first row that fits."""

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from confluent_kafka import KafkaError

from streams.errors import BrokerError, Fatal
from streams.permissions import FORBIDDEN, forbidden


class Remedy(Enum):
    """What to do about an error."""

    END = "end the process: only an operator can change it"
    ABORT = "abort the transaction; its batch is read again"
    RETRY = "call the same function again"
    REPLACE = "this producer is done for: make another, which aborts what this one left open"


class Row(NamedTuple):
    """One kind of error.

    Attributes:
        why: what an operator is told.
    """

    holds: Callable[[KafkaError], bool]
    remedy: Remedy
    why: str


TWIN: Final = (
    "its producers keep being fenced: another worker of this kind runs with the same instance name, "
    "or every transaction takes longer than kafka.transaction_timeout_seconds"
)


def _any(*codes: int) -> Callable[[KafkaError], bool]:
    return lambda error: error.code() in codes


TABLE: Final = (
    # Not the end: a member that joins anew has no id for a moment, and a coordinator that has just taken over
    # refuses its offsets in these words too. Of a real twin the consumer hears, and ends the worker (`Batches`).
    Row(
        _any(KafkaError.FENCED_INSTANCE_ID),
        Remedy.ABORT,
        "the group knows another member of this name, or this one joins anew",
    ),
    Row(
        _any(*FORBIDDEN),
        Remedy.END,
        "the broker does not permit it",
    ),
    Row(
        _any(
            KafkaError.INVALID_TRANSACTION_TIMEOUT,
            KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
            KafkaError.UNSUPPORTED_VERSION,
            KafkaError._UNSUPPORTED_FEATURE,
        ),
        Remedy.END,
        "the broker cannot do it",
    ),
    Row(
        _any(KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._INVALID_ARG),
        Remedy.END,
        "a record or a call is refused as it is, and would be again",
    ),
    # ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS: the normal end of a batch in a rebalance.
    Row(lambda error: error.txn_requires_abort(), Remedy.ABORT, "the broker refused the batch"),
    # Before `fatal`: a commit that timed out goes on in librdkafka. To abort instead cost 21 s of silence.
    Row(lambda error: error.retriable(), Remedy.RETRY, "the broker does not answer yet"),
    # A twin, or the broker gave a transaction up that was silent for longer than its timeout.
    Row(
        _any(KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED),
        Remedy.REPLACE,
        "another producer has this transactional id, or the transaction took longer than its timeout",
    ),
    # produce() in a transaction that has failed meanwhile tells only that its state is wrong.
    Row(_any(KafkaError._STATE), Remedy.ABORT, "the transaction has failed"),
)
_AWAY: Final = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._INCONSISTENT,  # some records did not arrive
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    }
)
_OTHERWISE: Final = Row(lambda error: True, Remedy.REPLACE, "the producer has failed")


def row_of(error: KafkaError) -> Row:
    """Return the first row of the table that fits; what fits none replaces the producer."""
    return next((row for row in TABLE if row.holds(error)), _OTHERWISE)


def tells_of_absence(error: KafkaError) -> bool:
    """Return whether the broker was away, or a coordinator elsewhere, so that a producer may have lost them."""
    return error.code() in _AWAY


def ended(error: KafkaError, why: str) -> Fatal:
    """Return what ends the process, where the remedy is END."""
    if error.code() in FORBIDDEN:
        return forbidden(error.str())
    return BrokerError(
        f"This worker's transactions cannot go on: {why} ({error.str()}).",
        "give every running worker of one kind its own `instance` (HEADRACE_INSTANCE), "
        "or correct the broker's limits.",
    )
