"""The transactional delivery's steps, and what it does about each kind of error, on a fake producer."""

from collections.abc import Callable
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from streams.contracts import Output
from streams.delivery import Abandoned, Unknown
from streams.errors import Fatal
from streams.transactions import TransactionalDelivery
from tests.unit.fake_kafka import FakeConsumer, FakeProducer

OFFSETS = [TopicPartition("source", 0, 7)]
ABORTABLE = KafkaError(KafkaError.ILLEGAL_GENERATION, "rebalanced", txn_requires_abort=True)
RETRIABLE = KafkaError(KafkaError._TIMED_OUT, "slow", retriable=True)
BUSY = KafkaError(KafkaError.CONCURRENT_TRANSACTIONS, "busy", retriable=True)
FENCED = KafkaError(KafkaError._FENCED, "fenced", fatal=True)
TWIN = KafkaError(KafkaError.FENCED_INSTANCE_ID, "twin", txn_requires_abort=True)


class Makes:
    """Makes producers, and remembers them."""

    def __init__(self, **first_fails: list[KafkaError]) -> None:
        self.made: list[FakeProducer] = []
        self._first_fails = first_fails
        self.next_fails: dict[str, list[KafkaError]] = {}

    def __call__(self, on_error: Callable[[KafkaError], None]) -> Producer:
        producer = FakeProducer(on_error)
        fails = self.next_fails if self.made else self._first_fails
        producer.failures = {name: list(errors) for name, errors in fails.items()}
        self.made.append(producer)
        return cast(Producer, producer)


def delivery(makes: Makes, timeout_seconds: float = 30) -> TransactionalDelivery:
    return TransactionalDelivery(cast(Consumer, FakeConsumer()), makes, timeout_seconds)


def settling(makes: Makes) -> TransactionalDelivery:
    return TransactionalDelivery(cast(Consumer, FakeConsumer()), makes, 30, TopicPartition("source", 0, 0))


def deliver(made: TransactionalDelivery, *outputs: Output) -> None:
    made.begin()
    made.write(outputs)
    made.wait()
    made.commit(OFFSETS)


def states(count: int) -> list[Output]:
    return [Output("state", number % 2, b"k%d" % number, b"v%d" % number) for number in range(count)]


def test_the_steps_come_in_their_order() -> None:
    makes = Makes()
    deliver(delivery(makes), *states(1))
    assert makes.made[0].calls == ["init", "begin", "produce", "send_offsets", "commit"]


def test_a_claim_signs_the_offsets_of_others_in_a_batch_of_its_own() -> None:
    makes = Makes()
    made = TransactionalDelivery(cast(Consumer, FakeConsumer()), makes, 30, None, "group.a")
    own, other = TopicPartition("source", 0, 7, "group.a"), TopicPartition("source", 1, 8, "group.b")
    made.claim([own])
    assert makes.made[0].calls == ["init"]
    made.claim([own, other])
    assert makes.made[0].calls == ["init", "begin", "send_offsets", "commit"]
    (sent,) = makes.made[0].offsets
    assert [(each.partition, each.offset, each.metadata) for each in sent] == [(1, 8, "group.a")]


def test_a_batch_tells_where_it_ends_in_each_partition() -> None:
    makes = Makes()
    made = delivery(makes)
    deliver(made, *states(9))
    assert dict(made.ends) == {("state", 0): 5, ("state", 1): 4}
    assert {value for _, _, value in makes.made[0].visible} == {output.value for output in states(9)}


def test_records_with_headers_keep_the_order_of_their_topic() -> None:
    outputs = [
        Output("t", 0, b"k", b"1"),
        Output("t", 0, b"k", b"2", (("h", b"x"),)),
        Output("t", 0, b"k", b"3"),
        Output("t", 1, b"k", b"4", (), 5),
    ]
    makes = Makes()
    deliver(delivery(makes), *outputs)
    assert [value for _, _, value in makes.made[0].visible] == [b"1", b"2", b"3", b"4"]


def test_a_full_queue_is_waited_for_and_no_record_goes_twice() -> None:
    makes = Makes()
    made = delivery(makes)
    makes.made[0].room = 3
    deliver(made, *states(20))
    assert sorted(value or b"" for _, _, value in makes.made[0].visible) == sorted(b"v%d" % n for n in range(20))


@pytest.mark.parametrize(
    ("step", "error"),
    [("begin", RETRIABLE), ("send_offsets", BUSY), ("commit", RETRIABLE), ("commit", BUSY)],
)
def test_a_retriable_error_is_answered_by_the_same_call(step: str, error: KafkaError) -> None:
    makes = Makes(**{step: [error, error]})
    deliver(delivery(makes), *states(1))
    assert makes.made[0].calls.count(step) == 3
    assert len(makes.made) == 1
    assert makes.made[0].visible


def test_a_start_that_has_to_wait_is_made_by_a_second_producer_however_long_it_takes() -> None:
    makes = Makes(init=[RETRIABLE])
    makes.next_fails = {"init": [RETRIABLE, RETRIABLE]}
    deliver(delivery(makes), *states(1))
    assert [made.calls.count("init") for made in makes.made] == [1, 3]
    assert makes.made[1].visible


@pytest.mark.parametrize("step", ["produce", "send_offsets", "commit"])
def test_an_abortable_error_aborts_and_the_next_batch_goes_through(step: str) -> None:
    makes = Makes(**{step: [ABORTABLE]})
    made = delivery(makes)
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    assert makes.made[0].calls[-1:] == ["abort"]
    assert not makes.made[0].visible
    deliver(made, *states(1))
    assert len(makes.made) == 1
    assert len(makes.made[0].visible) == 1


@pytest.mark.parametrize("step", ["begin", "produce", "send_offsets"])
def test_a_fenced_producer_is_replaced_and_its_batch_was_not_committed(step: str) -> None:
    makes = Makes(**{step: [FENCED]})
    made = delivery(makes)
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert [bool(producer.visible) for producer in makes.made] == [False, True]


def test_a_producer_that_fails_while_committing_leaves_the_outcome_unknown() -> None:
    makes = Makes(commit=[FENCED])
    made = delivery(makes)
    with pytest.raises(Unknown):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert makes.made[1].visible


def test_a_failed_abort_replaces_the_producer() -> None:
    makes = Makes(send_offsets=[ABORTABLE], abort=[FENCED])
    made = delivery(makes)
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    assert len(makes.made) == 2


def test_a_commit_that_cannot_be_aborted_any_more_leaves_the_outcome_unknown() -> None:
    made = delivery(Makes(commit=[ABORTABLE], abort=[FENCED]))
    with pytest.raises(Unknown):
        deliver(made, *states(1))


def test_offsets_of_a_member_that_the_group_does_not_know_are_sent_again_with_the_next_batch() -> None:
    makes = Makes(send_offsets=[TWIN])
    made = delivery(makes)
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert [producer.calls.count("abort") for producer in makes.made] == [1]
    assert makes.made[0].visible


def test_producers_that_keep_being_fenced_end_the_worker() -> None:
    makes = Makes()
    made = delivery(makes)

    def fenced_again() -> None:
        makes.made[-1].failures = {"begin": [FENCED]}
        with pytest.raises(Abandoned):
            made.begin()

    for _ in range(5):
        fenced_again()
    makes.made[-1].failures = {"begin": [FENCED]}
    with pytest.raises(Fatal, match=r"same instance name.*HEADRACE_INSTANCE"):
        made.begin()


def test_a_batch_without_offsets_sends_none() -> None:
    makes = Makes()
    made = delivery(makes)
    made.begin()
    made.write(states(1))
    made.commit([])
    assert "send_offsets" not in makes.made[0].calls
    assert makes.made[0].visible


SETTLED = ["begin", "send_offsets", "abort"]
BATCH = ["begin", "produce", "send_offsets", "commit"]


def test_offsets_that_an_earlier_life_left_pending_are_void_before_anything_is_committed() -> None:
    makes = Makes()
    made = settling(makes)
    deliver(made, *states(1))
    deliver(made, *states(1))
    assert makes.made[0].calls == ["init", *SETTLED, *BATCH, *BATCH]


def test_after_an_abort_the_next_batch_is_settled_first() -> None:
    makes = Makes()
    made = settling(makes)
    deliver(made, *states(1))
    makes.made[0].calls.clear()
    makes.made[0].failures = {"commit": [ABORTABLE]}
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert makes.made[0].calls == [*BATCH, "abort", *SETTLED, *BATCH]


def test_a_new_producer_is_settled_as_well() -> None:
    makes = Makes(commit=[FENCED])
    made = settling(makes)
    with pytest.raises(Unknown):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert makes.made[1].calls == ["init", *SETTLED, *BATCH]


def test_a_worker_that_cannot_settle_commits_nothing() -> None:
    makes = Makes(send_offsets=[ABORTABLE, ABORTABLE])
    made = settling(makes)
    for _ in range(2):
        with pytest.raises(Abandoned):
            deliver(made, *states(1))
    assert not makes.made[0].visible
    deliver(made, *states(1))
    assert makes.made[0].visible
