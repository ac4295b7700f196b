"""How much is taken at once."""

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError
from hypothesis import given
from hypothesis import strategies as st

from streams.batches import Batches, BatchSize
from streams.clock import Clock
from streams.contracts import Record, Rejected
from streams.errors import BrokerError, Fatal, Transient
from streams.permissions import FORBIDDEN
from streams.rejections import RejectedShare
from streams.settings.kafka import LoopSettings


def test_fast_batches_let_the_size_grow_to_its_limit() -> None:
    size = BatchSize(LoopSettings(batch_records=5_000))
    for _ in range(20):
        size.took(size.records, size.records * 1e-6)
    assert size.records == 5_000


def test_slow_records_shrink_the_batch_to_what_fits_the_time() -> None:
    size = BatchSize(LoopSettings(batch_records=5_000, batch_seconds=0.1))
    for _ in range(20):
        size.took(size.records, size.records * 0.002)
    assert 40 <= size.records <= 60


def test_a_pause_in_a_small_batch_does_not_shrink_it_to_nothing() -> None:
    size = BatchSize(LoopSettings())
    size.took(1, 3.0)
    assert size.records >= 16


@given(st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 100))), st.integers(1, 10_000))
def test_the_size_stays_within_its_limits(batches: list[tuple[int, float]], most: int) -> None:
    size = BatchSize(LoopSettings(batch_records=most))
    for records, seconds in batches:
        size.took(records, seconds)
        assert 1 <= size.records <= most


class Arriving:
    """A consumer that has records of these sizes, or errors of these codes."""

    def __init__(self, *there: int | KafkaError) -> None:
        self.there = list(there)
        self.largest_chunk = 0

    def poll(self, seconds: float) -> Any:
        return next(iter(self.consume(1, seconds)), None)

    def consume(self, most: int, seconds: float) -> list[Any]:
        self.largest_chunk = max(self.largest_chunk, most)
        taken, self.there = self.there[:most], self.there[most:]
        return [Arrived(each) for each in taken]


class Arrived:
    """A message of some size, or an error."""

    def __init__(self, what: int | KafkaError) -> None:
        self._what = what

    def __len__(self) -> int:
        return self._what if isinstance(self._what, int) else 0

    def error(self) -> KafkaError | None:
        return self._what if isinstance(self._what, KafkaError) else None


def reading(consumer: Arriving, clock: Clock = lambda: 0.0, **settings: Any) -> Batches:
    batches = Batches(cast(Consumer, consumer), LoopSettings(**settings), clock)
    batches.size.records = batches.size._most
    return batches


sizes_of_records = st.lists(st.integers(0, 1_000), min_size=1, max_size=60)


@given(sizes_of_records, st.integers(1, 3_000), st.integers(1, 40), st.booleans())
def test_a_batch_ends_with_the_record_that_fills_it_by_bytes_or_number(
    sizes: list[int], most_bytes: int, most: int, alike: bool
) -> None:
    sizes = [sizes[0]] * len(sizes) if alike else sizes
    consumer = Arriving(*sizes)
    batches = reading(consumer, batch_bytes=most_bytes, batch_records=most)
    found = []
    while taken := batches.read(0):
        found += [len(each) for each in taken]
        assert len(taken) <= most
        if alike:
            assert sum(map(len, taken[:-1])) < most_bytes, "one record less would have had room"
    assert found == sizes, "none is left out, and their order stays"


def test_large_records_are_not_taken_by_the_hundred() -> None:
    consumer = Arriving(*[1_000_000] * 600)
    batches = reading(consumer, batch_bytes=16 * 1_048_576, batch_records=10_000)
    assert len(batches.read(0)) == 17
    assert consumer.largest_chunk <= 16


def test_a_topic_that_is_missing_ends_the_worker_only_when_it_stays_away() -> None:
    now = [0.0]
    missing, consumer = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), Arriving()
    batches = reading(consumer, clock=lambda: now[0], delivery_timeout_seconds=30)

    def read_at(seconds: float, what: int | KafkaError) -> int:
        now[0], consumer.there = seconds, [what]
        return len(batches.read(0))

    assert [read_at(0, missing), read_at(29, missing)] == [0, 0]
    assert [read_at(31, 5), read_at(32, missing), read_at(61, missing)] == [1, 0, 0], "it was there in between"
    with pytest.raises(Transient, match="topics create"):
        read_at(63, missing)


def test_a_consumer_that_was_fenced_names_the_twin() -> None:
    with pytest.raises(BrokerError, match="same instance name"):
        reading(Arriving(KafkaError(KafkaError.FENCED_INSTANCE_ID))).read(0)


@pytest.mark.parametrize("code", sorted(FORBIDDEN))
def test_a_consumer_that_may_not_read_ends_and_says_what_to_permit(code: int) -> None:
    with pytest.raises(BrokerError, match="does not permit this user") as ended:
        reading(Arriving(KafkaError(code))).read(0)
    assert "READ on its groups" in str(ended.value)


def test_mostly_bad_records_stop_the_worker() -> None:
    share = RejectedShare(0.5, 1_000)
    share.note(900, 899)  # too few to judge
    newest = Rejected(Record("clicks", 3, 17, 0, None, b"{"), "malformed", "truncated")
    with pytest.raises(Fatal, match=r"cannot be used, such as clicks/3/17 \(malformed: truncated\)"):
        share.note(200, 50, newest)


@pytest.mark.parametrize("window", [10, 1_000])
def test_nothing_but_bad_records_since_the_start_stop_the_worker_soon(window: int) -> None:
    share = RejectedShare(0.5, window)
    for _ in range(min(99, window - 1)):
        share.note(1, 1)
    with pytest.raises(Fatal, match="cannot be used"):
        share.note(1, 1)


def test_one_good_record_among_the_first_is_given_the_whole_window() -> None:
    share = RejectedShare(0.5, 1_000)
    share.note(1, 0)
    share.note(998, 998)
    with pytest.raises(Fatal, match="cannot be used"):
        share.note(1, 0)


def test_bad_records_among_enough_good_ones_go_by() -> None:
    share = RejectedShare(0.5, 1_000)
    for _ in range(100):
        share.note(100, 40)


def test_old_records_do_not_hide_new_bad_ones() -> None:
    share = RejectedShare(0.5, 1_000)
    share.note(1_000_000, 0)
    share.note(600, 600)
    with pytest.raises(Fatal):
        share.note(600, 600)


def test_a_share_of_one_lets_everything_pass() -> None:
    share = RejectedShare(1.0, 10)
    for _ in range(10):
        share.note(100, 100)
