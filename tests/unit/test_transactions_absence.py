"""What the transactional delivery does while its broker is away, and when it is back."""

import threading
import time

import pytest
from confluent_kafka import KafkaError

from streams import transactions
from streams.delivery import Abandoned, Unknown
from streams.errors import Transient
from tests.unit.test_transactions import RETRIABLE, Makes, deliver, delivery, states

DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
UNREACHED = KafkaError(KafkaError._TRANSPORT, "connection refused")
UNDELIVERED = KafkaError(KafkaError._INCONSISTENT, "failed delivery", txn_requires_abort=True)


def test_a_new_producer_that_is_not_ready_is_waited_for_batch_by_batch() -> None:
    makes = Makes(send_offsets=[RETRIABLE])
    makes.next_fails = {"init": [RETRIABLE, RETRIABLE, RETRIABLE]}
    made = delivery(makes)
    with pytest.raises(Abandoned, match="was away"):
        deliver(made, *states(1))
    for _ in range(2):
        with pytest.raises(Abandoned, match="starts no transaction yet"):
            deliver(made, *states(1))
    deliver(made, *states(1))
    assert len(makes.made) == 2
    assert makes.made[1].visible


def test_offsets_that_the_broker_was_away_for_go_with_another_producer_and_their_batch_is_read_again() -> None:
    makes = Makes(send_offsets=[RETRIABLE])
    made = delivery(makes)
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert [bool(producer.visible) for producer in makes.made] == [False, True]


def test_a_producer_whose_brokers_were_away_while_it_was_idle_takes_no_other_batch() -> None:
    makes = Makes()
    made = delivery(makes)
    deliver(made, *states(1))
    makes.made[0].errors = [UNREACHED, DOWN, UNREACHED]
    deliver(made, *states(1))
    deliver(made, *states(1))
    assert [producer.calls.count("commit") for producer in makes.made] == [1, 2]
    assert made.absences == 1


def test_one_broker_of_several_that_is_not_reached_is_no_reason_to_replace_a_producer() -> None:
    makes = Makes()
    made = delivery(makes)
    makes.made[0].errors = [UNREACHED]
    deliver(made, *states(1))
    assert len(makes.made) == 1
    assert made.absences == 0


def test_that_a_new_producer_had_to_wait_for_its_brokers_is_not_held_against_it() -> None:
    makes = Makes()
    made = delivery(makes)
    makes.next_fails = {"init": [RETRIABLE, RETRIABLE]}
    makes.made[0].errors = [DOWN]
    with pytest.raises(Abandoned, match="starts no transaction yet"):
        deliver(made, *states(1))
    makes.made[1].errors = [DOWN]
    deliver(made, *states(1))
    deliver(made, *states(1))
    assert len(makes.made) == 2


def test_a_producer_that_lost_records_is_replaced_and_its_batch_was_not_committed() -> None:
    makes = Makes(commit=[UNDELIVERED])
    made = delivery(makes)
    with pytest.raises(Abandoned):
        deliver(made, *states(1))
    deliver(made, *states(1))
    assert [producer.calls.count("abort") for producer in makes.made] == [0, 0]
    assert [bool(producer.visible) for producer in makes.made] == [False, True]


def test_a_producer_whose_broker_was_away_while_it_committed_takes_no_other_batch() -> None:
    makes = Makes(commit=[RETRIABLE])
    made = delivery(makes)
    deliver(made, *states(1))
    deliver(made, *states(1))
    assert [producer.calls.count("commit") for producer in makes.made] == [2, 1]
    assert all(producer.visible for producer in makes.made)


def test_a_broker_that_keeps_going_away_is_not_taken_for_a_twin() -> None:
    makes = Makes()
    made = delivery(makes)
    for _ in range(10):
        makes.made[-1].failures = {"send_offsets": [RETRIABLE]}
        with pytest.raises(Abandoned):
            deliver(made, *states(1))
    deliver(made, *states(1))
    assert makes.made[-1].visible


@pytest.mark.parametrize(("errors", "waits_seconds"), [([], 0.05), ([UNREACHED], 0.02), ([DOWN], 0.02)])
def test_a_call_that_never_comes_back_is_left_behind_sooner_where_a_broker_is_not_reached(
    monkeypatch: pytest.MonkeyPatch, errors: list[KafkaError], waits_seconds: float
) -> None:
    monkeypatch.setattr(transactions, "_HUNG_SECONDS", 0.05)
    monkeypatch.setattr(transactions, "_DOUBT_SECONDS", 0.02)
    makes = Makes()
    made = delivery(makes)
    released = threading.Event()

    def hang(*_: object) -> None:
        makes.made[0].errors = list(errors)
        released.wait()

    monkeypatch.setattr(makes.made[0], "send_offsets_to_transaction", hang)
    with pytest.raises(Abandoned, match=f"has not come back after {waits_seconds:g} s"):
        deliver(made, *states(1))
    deliver(made, *states(1))
    released.set()
    assert [bool(producer.visible) for producer in makes.made] == [False, True]


def test_that_a_broker_was_not_reached_before_a_producer_was_ready_does_not_hurry_its_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transactions, "_DOUBT_SECONDS", 0.02)
    makes = Makes()
    made = delivery(makes)
    makes.made[0].errors = [UNREACHED, DOWN]
    makes.next_fails = {"init": [RETRIABLE, RETRIABLE]}
    with pytest.raises(Abandoned, match="starts no transaction yet"):
        deliver(made, *states(1))
    makes.made[1].errors = [UNREACHED, DOWN]
    send = makes.made[1].send_offsets_to_transaction

    def slowly(offsets: object, group: object, timeout: float) -> None:
        time.sleep(0.1)
        send(offsets, group, timeout)

    monkeypatch.setattr(makes.made[1], "send_offsets_to_transaction", slowly)
    deliver(made, *states(1))
    assert makes.made[1].visible


def test_a_commit_that_is_never_answered_leaves_the_outcome_unknown() -> None:
    makes = Makes(commit=[RETRIABLE] * 100)
    made = delivery(makes, timeout_seconds=0)
    with pytest.raises(Unknown, match="has not answered"):
        deliver(made, *states(1))
    assert "abort" not in makes.made[0].calls
    deliver(made, *states(1))
    assert makes.made[1].visible


def test_a_broker_that_starts_no_transaction_ends_the_worker() -> None:
    with pytest.raises(Transient, match="starts no transaction: slow"):
        delivery(Makes(init=[RETRIABLE] * 100), timeout_seconds=0)
