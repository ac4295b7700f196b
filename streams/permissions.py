"""What the broker says to whom it does not know or permit, and what an operator is told then."""

from typing import Final

from confluent_kafka import KafkaError

from streams.errors import BrokerError

FORBIDDEN: Final = frozenset(
    {
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
    }
)
"""Codes that no second call will change."""


def forbidden(told: str) -> BrokerError:
    """Return what ends a process that may not do what it has to.

    Args:
        told: what the broker said, and of what.
    """
    return BrokerError(
        f"The broker does not permit this user what it needs: {told.rstrip('.')}.",
        "give the user of kafka.properties READ, WRITE and DESCRIBE on Headrace's topics, READ on its groups and "
        "WRITE on its transactional ids, each by the prefix of the names; then start again.",
    )
