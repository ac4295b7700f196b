"""Two deliveries take turns, and neither begins while the other is not ready."""

from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from streams.alternating import AlternatingDelivery, transactional_ids
from streams.contracts import Output
from streams.delivery import Abandoned, Unknown
from streams.transactions import TransactionalDelivery
from tests.unit.fake_kafka import FakeConsumer, FakeProducer
from tests.unit.test_transactions import ABORTABLE, RETRIABLE, Makes, deliver

PLACE = TopicPartition("source", 0, 0)
BATCH = ["begin", "produce", "send_offsets", "commit"]
SETTLED = ["begin", "send_offsets", "abort"]
DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
FENCED = KafkaError(KafkaError._FENCED, "fenced", fatal=True)


class Pair:
    """Both deliveries, without a place to settle unless one is given."""

    def __init__(self, place: TopicPartition | None = None) -> None:
        self.makes = {name: Makes() for name in transactional_ids("group.a")}

        def make(transactional_id: str) -> TransactionalDelivery:
            consumer = cast(Consumer, FakeConsumer())
            return TransactionalDelivery(consumer, self.makes[transactional_id], 30, place, "group.a")

        self.delivery = AlternatingDelivery(make, "group.a")

    def producers(self) -> tuple[FakeProducer, FakeProducer]:
        first, second = (makes.made[-1] for makes in self.makes.values())
        return first, second

    def deliver(self, value: bytes) -> None:
        deliver(cast(TransactionalDelivery, self.delivery), Output("state", 0, b"k", value))


def test_batches_go_to_one_and_the_other() -> None:
    pair = Pair()
    for value in (b"1", b"2", b"3"):
        pair.deliver(value)
    first, second = pair.producers()
    assert first.calls == ["init", *BATCH, *BATCH]
    assert second.calls == ["init", *BATCH]
    assert [value for *_, value in second.visible] == [b"2"]


def test_a_claim_takes_a_turn() -> None:
    pair = Pair()
    pair.deliver(b"1")
    pair.delivery.claim([TopicPartition("source", 0, 7, "group.b")])
    pair.deliver(b"2")
    first, second = pair.producers()
    assert first.calls == ["init", *BATCH, *BATCH]
    assert second.calls == ["init", "begin", "send_offsets", "commit"]


def test_the_ends_are_those_of_the_last_batch() -> None:
    pair = Pair()
    pair.deliver(b"1")
    assert dict(pair.delivery.ends) == {("state", 0): 1}
    pair.delivery.begin()
    assert dict(pair.delivery.ends) == {}


def test_both_are_settled_before_the_first_batch() -> None:
    pair = Pair(PLACE)
    pair.deliver(b"1")
    first, second = pair.producers()
    assert first.calls == ["init", *SETTLED, *BATCH]
    assert second.calls == ["init", *SETTLED]


def test_a_batch_that_was_refused_is_settled_before_the_other_begins() -> None:
    pair = Pair(PLACE)
    pair.deliver(b"1")
    first, second = pair.producers()
    second.failures = {"send_offsets": [ABORTABLE]}
    with pytest.raises(Abandoned):
        pair.deliver(b"2")
    second.calls.clear()
    pair.deliver(b"2")
    assert second.calls == SETTLED
    assert [value for *_, value in first.visible] == [b"1", b"2"]
    assert second.visible == []


def test_nothing_begins_while_the_end_of_the_last_batch_is_not_known() -> None:
    pair = Pair()
    pair.deliver(b"1")
    first, second = pair.producers()
    second.failures = {"commit": [FENCED]}
    pair.makes["group.a#2"].next_fails = {"init": [RETRIABLE, RETRIABLE]}
    with pytest.raises(Unknown):
        pair.deliver(b"2")
    first.calls.clear()
    with pytest.raises(Abandoned):
        pair.delivery.begin()
    assert first.calls == []
    pair.delivery.begin()
    assert pair.producers()[1].calls == ["init", "init", "init", "begin"]


def test_both_are_replaced_when_one_has_seen_the_broker_go_away() -> None:
    pair = Pair()
    pair.deliver(b"1")
    pair.producers()[1].failures = {"commit": [RETRIABLE]}
    pair.deliver(b"2")
    pair.deliver(b"3")
    assert [len(makes.made) for makes in pair.makes.values()] == [2, 2]
    pair.deliver(b"4")
    assert [len(makes.made) for makes in pair.makes.values()] == [2, 2]


@pytest.mark.parametrize("told", [(0,), (1,), (0, 1)])
def test_both_are_replaced_once_when_their_brokers_were_away_while_they_were_idle(told: tuple[int, ...]) -> None:
    pair = Pair()
    pair.deliver(b"1")
    pair.deliver(b"2")
    for each in told:
        pair.producers()[each].errors = [DOWN]
    for value in (b"3", b"4", b"5"):
        pair.deliver(value)
    assert [len(makes.made) for makes in pair.makes.values()] == [2, 2]


def test_settling_settles_both() -> None:
    pair = Pair(PLACE)
    pair.deliver(b"1")
    for producer in pair.producers():
        producer.calls.clear()
    pair.delivery.settle()
    assert [producer.calls for producer in pair.producers()] == [SETTLED, SETTLED]
