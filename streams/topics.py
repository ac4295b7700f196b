"""Every topic: its name, how it is cleaned, how long it is kept. The one table that `topics create` reads."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

CLICKSTREAM = "clickstream.events.v1"
REKEYED = "clickstream.rekeyed.v1"
CATALOGUE = "catalog.items.v1"
USER_STATE = "user.state.v1"
USER_ACTIONS = "user.actions.v1"
USER_VECTORS = "user.vectors.v1"
RECOMMENDATIONS = "recommendations.v1"
RANKING_REQUESTS = "ranking.requests.v1"
RANKING_QUERIES = "ranking.queries.v1"
RANKING_ANSWERS = "ranking.answers.v1"
TRAINING_EXAMPLES = "training.examples.v1"
ITEM_TRENDS = "item.trends.v1"
MODELS = "models.v1"
ERASURES = "privacy.erasures.v1"
RECEIPTS = "privacy.receipts.v1"

Cleanup = Literal["delete", "compact", "compact,delete"]
_DAY = timedelta(days=1)
_MAX_BYTES = 1024 * 1024
_REKEYED_MAX_BYTES = 2 * _MAX_BYTES
"""The same record with one header more, compressed by another hand."""
_DEAD_LETTER_MAX_BYTES = 8 * _MAX_BYTES
"""A record that its producer compressed harder than we do must fit too."""
PASSED_ON_BYTES = 3 * _MAX_BYTES // 4
"""A record whose content goes on to another topic, with a vector more, is rejected above this size."""
_SEGMENT = _DAY
"""Kafka deletes whole segments, and compacts none that is still written to; so none is written to for longer."""


@dataclass(frozen=True)
class Topic:
    """How one topic is made.

    Attributes:
        retention: how long records are kept; None for as long as their key's newest.
        max_message_bytes: largest record; a dead letter is larger than any source's.
    """

    name: str
    cleanup: Cleanup
    retention: timedelta | None
    max_message_bytes: int = _MAX_BYTES

    @property
    def config(self) -> dict[str, str]:
        """Return the topic's settings in Kafka's own names."""
        config = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "CreateTime",
        }
        if self.retention is not None:
            config["retention.ms"] = _ms(self.retention)
            config["segment.ms"] = _ms(_SEGMENT)
        if self.cleanup != "delete":
            # Without it a tombstone may lie beside what it deletes for as long as the topic is mostly clean.
            config["max.compaction.lag.ms"] = _ms(_SEGMENT)
        return config

    @property
    def gone_within(self) -> timedelta:
        """Return how long after its deletion or its writing a value may still lie in the topic.

        A segment is closed after a day, and deleted or compacted within another one.
        """
        return (self.retention or timedelta(0) if self.cleanup == "delete" else timedelta(0)) + 2 * _SEGMENT


def item_vectors(encoder_id: str) -> str:
    """Return the topic that holds the item vectors of one encoder."""
    return f"item.vectors.v1.{encoder_id}"


def dead_letters(topic: str) -> str:
    """Return the topic that takes the records of `topic` which cannot be used."""
    return f"{topic}.dlq"


def all_topics(encoder_id: str) -> tuple[Topic, ...]:
    """Return every topic that this version reads or writes, dead letters last."""
    sources = (
        Topic(CLICKSTREAM, "delete", 7 * _DAY),
        Topic(REKEYED, "delete", 7 * _DAY, _REKEYED_MAX_BYTES),
        Topic(ERASURES, "delete", 30 * _DAY),
        Topic(CATALOGUE, "compact", None),
        Topic(RANKING_REQUESTS, "delete", _DAY),
    )
    derived = (
        Topic(USER_STATE, "compact", None),
        Topic(item_vectors(encoder_id), "compact", None),
        Topic(USER_ACTIONS, "delete", 7 * _DAY),
        Topic(USER_VECTORS, "compact", None),
        Topic(RECOMMENDATIONS, "compact,delete", 7 * _DAY),
        Topic(RANKING_QUERIES, "delete", _DAY),
        Topic(RANKING_ANSWERS, "delete", _DAY),
        Topic(TRAINING_EXAMPLES, "delete", 30 * _DAY),
        Topic(ITEM_TRENDS, "compact", None),
        Topic(MODELS, "compact", None),
        Topic(RECEIPTS, "delete", 90 * _DAY),
    )
    followed = {USER_STATE, USER_ACTIONS, RECOMMENDATIONS, RANKING_QUERIES}
    read = (*sources, *(topic for topic in derived if topic.name in followed))
    letters = (Topic(dead_letters(topic.name), "delete", 30 * _DAY, _DEAD_LETTER_MAX_BYTES) for topic in read)
    return (*sources, *derived, *letters)


def topic_named(name: str) -> Topic:
    """Return one of our topics, but the item vectors'."""
    return next(topic for topic in all_topics("") if topic.name == name)


def _ms(duration: timedelta) -> str:
    return str(duration // timedelta(milliseconds=1))
