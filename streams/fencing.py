"""Ends transactions that the dead left open, for whoever takes their partitions over.

A worker that is killed inside a transaction and does not come back leaves it open until the broker's timeout, for
which the broker looks every ten seconds only; meanwhile nobody can read on. Every batch therefore commits its
offsets with the identity of its worker beside them, and a worker puts its own beside those of others before its
first batch on their partitions (`Delivery.claim`). When partitions come to a worker, it

1. asks who committed their offsets last, pending ones left out;
2. asks who is a member of the group; a member is alive, and only gave partitions away;
3. starts a producer under each of the others' transactional ids, which ends what was left open there.

A writer that comes back meanwhile loses a batch, makes another producer and reads it again. Whatever goes wrong
here is only logged: the broker's timeout still holds.
"""

import threading
from collections.abc import Iterable, Sequence

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from streams.alternating import transactional_ids
from streams.errors import HeadraceError
from streams.kafka import admin, transactional_producer
from streams.settings import Settings

_log = structlog.get_logger()
_CALL_SECONDS = 5.0


def fence_in_background(settings: Settings, group: str, places: Sequence[TopicPartition]) -> None:
    """Do steps 1 to 3 for these partitions of a source, in a thread of its own; nothing waits for it.

    Args:
        group: whose ids are `<group>.<instance>`, as of transactions so of members.
    """
    threading.Thread(target=_fence, args=(settings, group, list(places)), name="fence", daemon=True).start()


def _fence(settings: Settings, group: str, places: list[TopicPartition]) -> None:
    try:
        for writer in _dead(settings, group, places):
            for transactional_id in transactional_ids(writer):
                client = transactional_producer(settings, transactional_id)
                client.list_topics(timeout=_CALL_SECONDS)
                client.init_transactions(_CALL_SECONDS)
            _log.info("fenced", writer=writer)
    except (KafkaException, HeadraceError, TimeoutError) as error:
        _log.warning("not fenced; the broker's transaction timeout holds", error=str(error))


def _dead(settings: Settings, group: str, places: list[TopicPartition]) -> Iterable[str]:
    """Return who wrote last and is no member of the group any more."""
    client = admin(settings)
    asked = client.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, places)], require_stable=False, request_timeout=_CALL_SECONDS
    )
    (offsets,) = (answer.result(_CALL_SECONDS) for answer in asked.values())
    writers = {each.metadata for each in offsets.topic_partitions if each.metadata}
    # The group's offsets are open to every tool: no producer but a worker's of this group is ever fenced.
    ours = sorted(writer for writer in writers if writer.startswith(f"{group}."))
    if not ours:
        return ()
    described = client.describe_consumer_groups([group], request_timeout=_CALL_SECONDS)[group]
    members = {member.group_instance_id for member in described.result(_CALL_SECONDS).members}
    return [writer for writer in ours if writer not in members]
