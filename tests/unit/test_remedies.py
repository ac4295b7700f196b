"""The table of what each error of a transaction asks for, row by row."""

import pytest
from confluent_kafka import KafkaError

from streams.remedies import Remedy, row_of

ABORTABLE = {"txn_requires_abort": True}
RETRIABLE = {"retriable": True}
FATAL = {"fatal": True}


@pytest.mark.parametrize(
    ("code", "flags", "remedy"),
    [
        (KafkaError.FENCED_INSTANCE_ID, ABORTABLE, Remedy.ABORT),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FATAL, Remedy.END),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, ABORTABLE, Remedy.END),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ABORTABLE, Remedy.END),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, FATAL, Remedy.END),
        (KafkaError.SASL_AUTHENTICATION_FAILED, {}, Remedy.END),
        (KafkaError._AUTHENTICATION, {}, Remedy.END),
        (KafkaError.INVALID_TRANSACTION_TIMEOUT, FATAL, Remedy.END),
        (KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT, FATAL, Remedy.END),
        (KafkaError.UNSUPPORTED_VERSION, FATAL, Remedy.END),
        (KafkaError._UNSUPPORTED_FEATURE, FATAL, Remedy.END),
        (KafkaError.MSG_SIZE_TOO_LARGE, {}, Remedy.END),
        (KafkaError._INVALID_ARG, {}, Remedy.END),
        (KafkaError.ILLEGAL_GENERATION, ABORTABLE, Remedy.ABORT),
        (KafkaError.UNKNOWN_MEMBER_ID, ABORTABLE, Remedy.ABORT),
        (KafkaError.REBALANCE_IN_PROGRESS, ABORTABLE, Remedy.ABORT),
        (KafkaError._MSG_TIMED_OUT, ABORTABLE, Remedy.ABORT),
        (KafkaError._TIMED_OUT, RETRIABLE, Remedy.RETRY),
        (KafkaError.COORDINATOR_NOT_AVAILABLE, RETRIABLE, Remedy.RETRY),
        (KafkaError.CONCURRENT_TRANSACTIONS, RETRIABLE, Remedy.RETRY),
        (KafkaError._FENCED, FATAL, Remedy.REPLACE),
        (KafkaError.INVALID_PRODUCER_EPOCH, FATAL, Remedy.REPLACE),
        (KafkaError.PRODUCER_FENCED, FATAL, Remedy.REPLACE),
        (KafkaError._STATE, {}, Remedy.ABORT),
        (KafkaError.UNKNOWN_PRODUCER_ID, FATAL, Remedy.REPLACE),
        (KafkaError.UNKNOWN, {}, Remedy.REPLACE),
    ],
)
def test_each_error_asks_for_one_remedy(code: int, flags: dict[str, bool], remedy: Remedy) -> None:
    row = row_of(KafkaError(code, "told by the broker", **flags))
    assert row.remedy is remedy
    assert row.why


def test_a_timed_out_commit_is_called_again_even_when_it_is_also_fatal() -> None:
    assert row_of(KafkaError(KafkaError._TIMED_OUT, "slow", retriable=True, fatal=True)).remedy is Remedy.RETRY
