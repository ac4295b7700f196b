"""The recall probe says what the index finds of what it should."""

import numpy as np
from prometheus_client import REGISTRY

from index.live import LiveIndex
from index.probe import RecallProbe, recall
from streams.settings.ranking import IndexSettings

RANDOM = np.random.default_rng(7)


def index_of(rows: int, settings: IndexSettings) -> LiveIndex:
    return LiveIndex.built(
        np.arange(rows), RANDOM.normal(size=(rows, 16)).astype(np.float32), settings, name="probe"
    )


def ask(index: LiveIndex, queries: int = 8) -> None:
    index.search(RANDOM.normal(size=(queries, 16)).astype(np.float32), 10)


def test_an_exact_index_finds_everything_whatever_was_overwritten_or_removed() -> None:
    index = index_of(500, IndexSettings(fresh_capacity=64))
    index.upsert(np.arange(200), RANDOM.normal(size=(200, 16)).astype(np.float32))
    index.remove(np.arange(100, 150))
    assert recall(index) is None  # nobody asked anything yet
    ask(index)
    assert recall(index) == 1.0
    index.close()


def test_an_index_that_may_miss_nearly_all_is_found_out() -> None:
    index = index_of(4_000, IndexSettings(exact_below=0, recall_target=0.05))
    ask(index)
    found = recall(index, neighbours=10)  # one list of 39 rows holds that many, so no other is searched
    assert found is not None
    assert 0 < found < 0.6
    index.close()


def test_a_probe_reports_the_index_that_serves_and_nothing_without_one() -> None:
    probe = RecallProbe(lambda: None, name="probe-none")
    probe.probe()
    assert REGISTRY.get_sample_value("headrace_index_recall_ratio", {"index": "probe-none"}) is None
    index = index_of(300, IndexSettings())
    ask(index)
    with RecallProbe(lambda: index, every_seconds=3_600, name="probe-some") as running:
        running.probe()
    assert REGISTRY.get_sample_value("headrace_index_recall_ratio", {"index": "probe-some"}) == 1.0
    assert REGISTRY.get_sample_value("headrace_index_recall_probes_total", {"index": "probe-some"}) == 1
    index.close()
