"""What the ranking plane measures is what happened, and costs a batch one report."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from streams import slo
from streams.contracts import Record, UserState
from workers.ranking import metrics
from workers.ranking.batch_histogram import BatchHistogram
from workers.ranking.candidates import Slate, Step
from workers.ranking.laps import Laps
from workers.ranking.watching import FreshnessWatch, watch_popularity, watch_quality


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_ranking_{name}", labels) or 0.0


@given(st.lists(st.lists(st.floats(0, 100), max_size=20), max_size=5))
def test_a_batch_histogram_counts_as_prometheus_own(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    edges = (0.1, 1.0, 10.0)
    batch = BatchHistogram("h_seconds", "h", buckets=edges, label="stage", values=("a", "b"), registry=ours)
    single = Histogram("h_seconds", "h", ["stage"], buckets=edges, registry=theirs)
    for values in batches:
        batch.observe(np.array(values), "a")
        for value in values:
            single.labels("a").observe(value)
    single.labels("a")
    for le in ("0.1", "1.0", "10.0", "+Inf"):
        labels = {"stage": "a", "le": le}
        assert ours.get_sample_value("h_seconds_bucket", labels) == theirs.get_sample_value(
            "h_seconds_bucket", labels
        )
        assert ours.get_sample_value("h_seconds_bucket", {"stage": "b", "le": le}) == 0
    for part in ("h_seconds_count", "h_seconds_sum"):
        found = ours.get_sample_value(part, {"stage": "a"})
        assert found == pytest.approx(theirs.get_sample_value(part, {"stage": "a"}))


def test_nothing_is_lost_between_values_that_are_counted_together_and_the_next_ones() -> None:
    registry = CollectorRegistry()
    histogram = BatchHistogram("m_seconds", "m", buckets=(1.0,), label="of", values=("a", "b"), registry=registry)
    for number in range(1, 101):
        histogram.observe(np.full(number, 0.5), "a")
        histogram.observe(np.full(number, 2.0), "b")
        if number % 30 == 0:
            assert registry.get_sample_value("m_seconds_count", {"of": "b"}) == number * (number + 1) / 2
    assert registry.get_sample_value("m_seconds_bucket", {"of": "a", "le": "1.0"}) == 5_050
    assert registry.get_sample_value("m_seconds_bucket", {"of": "b", "le": "1.0"}) == 0
    assert registry.get_sample_value("m_seconds_sum", {"of": "b"}) == 10_100


def test_values_that_are_no_numbers_are_left_out() -> None:
    registry = CollectorRegistry()
    histogram = BatchHistogram("n_seconds", "n", buckets=(1.0,), registry=registry)
    histogram.observe(np.array([np.nan, 0.5, np.inf]))
    assert registry.get_sample_value("n_seconds_count", {}) == 1
    assert registry.get_sample_value("n_seconds_sum", {}) == 0.5


def test_laps_charge_every_moment_to_one_stage_and_report_once_a_batch() -> None:
    registry, now = CollectorRegistry(), [0.0]
    histogram = Histogram("laps_seconds", "l", ["stage", "name"], registry=registry)
    laps = Laps(histogram, clock=lambda: now[0])

    def run(*steps: tuple[str, float]) -> None:
        laps.start()
        for stage, seconds in steps:
            now[0] += seconds
            laps.lap((stage, "x"))
        laps.report()

    run(("hydrate", 1.0), ("source", 2.0), ("filter", 0.5), ("score", 0.5), ("filter", 0.5))
    assert laps.retrieval_seconds == 3.0
    now[0] += 100  # between two batches
    laps.lap(("source", "x"))  # of an answer, which is no batch
    run(("filter", 1.0))
    assert laps.retrieval_seconds == 0
    assert registry.get_sample_value("laps_seconds_sum", {"stage": "filter", "name": "x"}) == 2.0
    assert registry.get_sample_value("laps_seconds_count", {"stage": "filter", "name": "x"}) == 2
    assert registry.get_sample_value("laps_seconds_count", {"stage": "source", "name": "x"}) == 1


def cause(event_seconds: float, state_seconds: float) -> tuple[Record, UserState]:
    record = Record("user.state.v1", 0, 0, int(state_seconds * 1_000), b"u", b"", ())
    source = SimpleNamespace(create_time_ms=int(event_seconds * 1_000))
    return record, cast(UserState, SimpleNamespace(source=source))


def test_the_stages_of_freshness_add_up_to_the_whole() -> None:
    def sums() -> list[float]:
        return [sample("freshness_stage_seconds_sum", stage=stage) for stage in metrics.STAGES]

    before, whole = sums(), sample("freshness_seconds_sum")
    watch = FreshnessWatch()
    watch.made([cause(100.0, 100.5), cause(99.0, 100.5)], 101.0, 0.25, 102.0)
    watch.delivered(103.0)
    took = [after - earlier for after, earlier in zip(sums(), before, strict=True)]
    assert took == pytest.approx([0.5 + 1.5, 2 * 0.5, 2 * 0.25, 2 * 0.75, 2 * 1.0])
    assert sample("freshness_seconds_sum") - whole == pytest.approx(3 + 4) == sum(took)


def test_what_was_not_delivered_or_has_no_time_is_not_fresh() -> None:
    before = sample("freshness_seconds_count")
    watch = FreshnessWatch()
    watch.delivered(1.0)
    watch.made([cause(1.0, 1.0)], 1.0, 0, 1.0)
    watch.abandoned()
    watch.delivered(2.0)
    watch.made([cause(0, 1.0)], 1.0, 0, 1.0)
    watch.delivered(2.0)
    assert sample("freshness_seconds_count") == before
    watch.made([cause(1.0, 1.0)], 1.0, 0, 1.0)
    watch.delivered(2.0)
    watch.delivered(3.0)
    assert sample("freshness_seconds_count") == before + 1


def slates(*rows: Sequence[int], known: bool = True) -> list[Slate]:
    query = SimpleNamespace(step=Step.HISTORY if known else Step.NO_HISTORY)
    return [cast(Slate, SimpleNamespace(query=query, rows=np.array(row, np.int64))) for row in rows]


def test_repetition_compares_with_the_slate_that_stood_before() -> None:
    names = ("slate_items_total", "compared_items_total", "repeated_items_total")
    before = [sample(name) for name in names]
    watch_quality(slates([1, 2, 3], [4, 5]), [(1, 2), ()], [(2, 3, 4), (1, 2)])
    assert [sample(name) - old for name, old in zip(names, before, strict=True)] == [5, 3, 1]


def test_a_slate_without_a_known_user_is_a_fallback() -> None:
    before = sample("fallbacks_total", reason="no_history")
    watch_quality(slates([1]) + slates([1], [1], known=False), [()] * 3, [(1,)] * 3)
    assert sample("fallbacks_total", reason="no_history") - before == 2


def test_popularity_counts_places_of_the_most_popular_hundredth() -> None:
    popularity = np.zeros(400, np.float32)
    popularity[:300] = np.arange(300, 0, -1)
    world: Any = SimpleNamespace(popularity=popularity, popular=np.arange(300))
    before = sample("popular_items_total")
    watch_popularity(slates([0, 1, 2, 3], [2, 399]), world)
    assert sample("popular_items_total") - before == 4  # rows 0, 1, 2 and 2 again
    empty: Any = SimpleNamespace(popularity=popularity, popular=np.arange(0))
    watch_popularity(slates([0]), empty)
    assert sample("popular_items_total") - before == 4


def test_both_promises_of_freshness_are_edges_of_the_buckets() -> None:
    assert {slo.FRESHNESS_SECONDS, slo.TYPICAL_SECONDS} <= set(slo.BUCKETS_SECONDS)
    assert list(slo.BUCKETS_SECONDS) == sorted(slo.BUCKETS_SECONDS)
