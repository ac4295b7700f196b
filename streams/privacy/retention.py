"""Topics that an operator lets keep records for longer than a receipt says."""

from datetime import timedelta
from typing import NamedTuple

from confluent_kafka import KafkaException

from streams.errors import BrokerError
from streams.kafka import embedded_cluster, metadata
from streams.privacy.receipts import retained_topics
from streams.provision import topic_configs
from streams.settings import Settings

_FOR_EVER = "-1"


class KeptLonger(NamedTuple):
    """A topic whose retention on the broker is longer than ours.

    Attributes:
        said: what receipts count with.
        kept: what the broker does; None is for ever.
    """

    topic: str
    said: timedelta
    kept: timedelta | None


def kept_longer(settings: Settings) -> list[KeptLonger]:
    """Return the topics for which the dates of a receipt are too early on this broker.

    Raises:
        BrokerError: it does not tell.
    """
    cluster = metadata(settings)
    topics = [
        (topic, topic.retention)
        for topic in retained_topics()
        if topic.cleanup == "delete" and topic.retention is not None and topic.name in cluster.topics
    ]
    if embedded_cluster(cluster) or not topics:
        return []
    try:
        configs = topic_configs(settings, [topic.name for topic, _ in topics])
    except KafkaException as error:
        raise BrokerError(
            f"The broker does not tell for how long it keeps records: {error.args[0].str()}.",
            "look at retention.ms of the topics that the receipt names.",
        ) from None
    found = []
    for topic, said in topics:
        told = configs[topic.name]["retention.ms"]
        kept = None if told == _FOR_EVER else timedelta(milliseconds=int(told))
        if kept is None or kept > said:
            found.append(KeptLonger(topic.name, said, kept))
    return found
