"""The demo's topics: made, emptied when asked, and their dead letters counted."""

from confluent_kafka import KafkaException, TopicPartition

from streams.clock import monotonic_seconds, sleep_seconds
from streams.errors import BrokerError
from streams.kafka import admin, consumer, partition_count
from streams.provision import create_topics, describe_topics
from streams.settings import Settings
from streams.topics import CLICKSTREAM, all_topics

_SECONDS = 30.0


def prepare_topics(settings: Settings, encoder_id: str, reset: bool) -> None:
    """Make the topics that are missing; with `reset`, delete Headrace's topics first.

    Raises:
        BrokerError: the clickstream holds events, which an earlier run may have sent: sent again they are
            duplicates, and no slate answers a duplicate.
    """
    if reset:
        delete_topics(settings, encoder_id)
    elif written(settings, CLICKSTREAM):
        raise BrokerError(
            f"{CLICKSTREAM} is not empty at {settings.kafka.bootstrap_servers}.",
            "--reset-topics deletes Headrace's topics there and makes them again.",
        )
    create_topics(settings, encoder_id)


def rejected_count(settings: Settings, encoder_id: str) -> int:
    """Return how many records the dead-letter topics have taken so far."""
    names = [topic.name for topic in all_topics(encoder_id) if topic.name.endswith(".dlq")]
    return sum(written(settings, name) for name in names)


def written(settings: Settings, topic: str) -> int:
    """Return how many records were ever written to `topic`, by its high watermarks; 0 without a topic."""
    reader = consumer(settings, None)
    try:
        numbers = range(partition_count(settings, topic))
        return sum(
            reader.get_watermark_offsets(TopicPartition(topic, number), timeout=_SECONDS)[1] for number in numbers
        )
    except KafkaException as error:
        raise BrokerError(
            f"The end of {topic} cannot be read: {error.args[0].str()}.", "read the broker's log."
        ) from None
    finally:
        reader.close()


def delete_topics(settings: Settings, encoder_id: str) -> None:
    """Delete Headrace's topics and return when they are gone.

    Raises:
        BrokerError: one cannot be deleted.
    """
    doomed = _existing(settings, encoder_id)
    if not doomed:
        return
    client = admin(settings)  # held: librdkafka ends the calls of a client that is gone
    for name, done in client.delete_topics(doomed, operation_timeout=_SECONDS).items():
        try:
            done.result(_SECONDS)
        except KafkaException as error:
            raise BrokerError(
                f"Topic {name} cannot be deleted: {error.args[0].str()}.",
                "give this user the right to delete it, or use another Kafka.",
            ) from None
    deadline = monotonic_seconds() + _SECONDS
    while (left := _existing(settings, encoder_id)) and monotonic_seconds() < deadline:
        sleep_seconds(0.2)
    if left:
        raise BrokerError(f"Topic {left[0]} is still there after its deletion.", "try again in a minute.")


def _existing(settings: Settings, encoder_id: str) -> list[str]:
    return [topic.name for topic in describe_topics(settings, encoder_id) if topic.partitions]
