"""What two writers that take turns rely on, on real Kafka."""

from collections.abc import Iterator
from functools import partial

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition

from encoder.identity import encoder_id
from streams.alternating import AlternatingDelivery, transactional_ids
from streams.contracts import Output
from streams.kafka import admin, consumer, transactional_producer
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.topics import CLICKSTREAM, USER_STATE
from streams.transactions import TransactionalDelivery
from tests.integration.faults.fleet import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
GROUP = "test-alternating.state"
WRITER = f"{GROUP}.a"
SOURCE = (CLICKSTREAM, 0)
SECONDS = 30.0
BATCHES = 50


@pytest.fixture
def settings(empty_kafka: str) -> Settings:
    made = load_settings(kafka={"bootstrap_servers": empty_kafka, "group_prefix": "test-alternating"})
    create_topics(made, encoder_id(made.encoder))
    return made


@pytest.fixture
def member(settings: Settings) -> Iterator[Consumer]:
    """Yield a consumer that is the group's only member."""
    reader = consumer(settings, GROUP)
    reader.subscribe([CLICKSTREAM])

    def assigned() -> bool:
        reader.poll(0.1)
        return bool(reader.assignment())

    wait_until(assigned, "the group has a member")
    yield reader
    reader.close()


def stable_offset(settings: Settings) -> tuple[int, str | None] | None:
    """Return offset and metadata of the source, None while a transaction has some pending."""
    asked = ConsumerGroupTopicPartitions(GROUP, [TopicPartition(*SOURCE)])
    client = admin(settings)
    (answer,) = client.list_consumer_group_offsets([asked], require_stable=True).values()
    (found,) = answer.result(SECONDS).topic_partitions
    return None if found.error is not None else (found.offset, found.metadata)


def settled_offset(settings: Settings) -> int:
    """Wait for the group's stable offset and return it."""
    found: list[tuple[int, str | None]] = []

    def stable() -> bool:
        offset = stable_offset(settings)
        found.extend([] if offset is None else [offset])
        return bool(found)

    wait_until(stable, "the offsets are stable")
    return found[0][0]


def test_of_two_transactions_offsets_the_last_that_were_sent_stay_whichever_ends_first(
    settings: Settings, member: Consumer
) -> None:
    first, second = (transactional_producer(settings, name) for name in transactional_ids(WRITER))
    for client in (first, second):
        client.init_transactions(SECONDS)

    def send(client: Producer, offset: int) -> None:
        client.begin_transaction()
        place = TopicPartition(*SOURCE, offset)
        client.send_offsets_to_transaction([place], member.consumer_group_metadata(), SECONDS)

    send(first, 10)
    send(second, 20)
    second.commit_transaction(SECONDS)
    assert stable_offset(settings) is None
    first.commit_transaction(SECONDS)
    assert settled_offset(settings) == 20
    send(first, 30)
    send(second, 40)
    second.abort_transaction(SECONDS)
    first.commit_transaction(SECONDS)
    assert settled_offset(settings) == 30


def test_batches_are_read_in_their_order_and_the_last_offset_counts(settings: Settings, member: Consumer) -> None:
    def make(transactional_id: str) -> TransactionalDelivery:
        make_producer = partial(transactional_producer, settings, transactional_id)
        return TransactionalDelivery(member, make_producer, SECONDS, TopicPartition(*SOURCE, 0), WRITER)

    delivery = AlternatingDelivery(make, WRITER)
    ends = []
    for number in range(BATCHES):
        delivery.begin()
        delivery.write([Output(USER_STATE, 0, b"k", b"%d" % number)])
        delivery.commit([TopicPartition(*SOURCE, number + 1)])
        ends.append(delivery.ends[USER_STATE, 0])
    assert settled_offset(settings) == BATCHES
    reader = consumer(settings, None, enable_partition_eof=False)
    reader.assign([TopicPartition(USER_STATE, 0, 0)])
    read = reader.consume(BATCHES, SECONDS)
    reader.close()
    assert [message.value() for message in read] == [b"%d" % number for number in range(BATCHES)]
    assert [(message.offset() or 0) + 1 for message in read] == ends
