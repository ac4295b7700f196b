"""Lag is what a partition holds beyond what was committed, also while nothing of it can be read."""

from typing import Any, cast

from confluent_kafka import Consumer, TopicPartition
from prometheus_client import REGISTRY

from streams.contracts import Record
from streams.lag import LagWatch

TOPIC = "lag.test.v1"


class Log:
    """A consumer as far as the watch asks it: one partition that ends at `high`."""

    def __init__(self) -> None:
        self.high = 0
        self.at = 0

    def get_watermark_offsets(self, partition: TopicPartition, cached: bool) -> tuple[int, int]:
        assert cached, "the loop must not wait for the broker"
        return 0, self.high

    def position(self, partitions: list[TopicPartition]) -> list[Any]:
        return [TopicPartition(item.topic, item.partition, self.at) for item in partitions]


class Watch:
    def __init__(self) -> None:
        self.log = Log()
        self.now = 1_000.0
        self.watch = LagWatch(cast(Consumer, self.log), clock=lambda: self.now)
        self.watch.own([TOPIC], [0])

    def after(self, seconds: float) -> tuple[float | None, float | None]:
        """Return records and seconds of lag when so much time has passed."""
        self.now += seconds
        self.watch.measure()
        return gauge("lag_records"), gauge("lag_seconds")


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"headrace_streams_{name}", {"topic": TOPIC, "partition": "0"})


def record(offset: int, seconds: float) -> Record:
    return Record(TOPIC, 0, offset, int(seconds * 1_000), b"k", b"v", ())


def test_lag_grows_while_nothing_can_be_read_and_ends_with_what_is_committed() -> None:
    watch = Watch()
    assert watch.after(0) == (0, 0)
    watch.log.high = 5
    assert watch.after(10) == (5, 10)
    assert watch.after(10) == (5, 20)
    watch.watch.committed([record(3, 1_015), record(2, 1_014)][::-1])
    assert watch.after(2) == (1, 7)
    watch.watch.committed([record(4, 1_016)])
    assert watch.after(2) == (0, 0)
    assert gauge("next_offset") == 5


def test_markers_of_transactions_at_the_end_are_no_lag() -> None:
    watch = Watch()
    watch.log.high = 2  # a record and the marker that commits it
    watch.watch.ended(TOPIC, 0, 2)
    watch.watch.committed([record(0, 1_000)])
    assert watch.after(1) == (0, 0)


def test_waiting_counts_from_the_moment_at_which_the_first_record_came() -> None:
    watch = Watch()
    watch.after(3_600)
    watch.log.high = 1
    records, seconds = watch.after(2)
    assert (records, seconds) == (1, 2)


def test_measured_at_most_once_a_second() -> None:
    watch = Watch()
    watch.after(1)
    watch.log.high = 9
    assert watch.after(0.5) == (0, 0)
    assert watch.after(0.6)[0] == 9


def test_a_partition_that_was_given_away_has_no_gauges_left() -> None:
    watch = Watch()
    watch.after(1)
    watch.watch.own([TOPIC], [])
    assert gauge("lag_records") is None
    assert gauge("lag_seconds") is None
    assert gauge("next_offset") is None
    watch.watch.committed([record(0, 1_000)])
    watch.after(5)
    assert gauge("lag_records") is None
