"""How much is taken at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.batches import BatchSize
from streams.errors import Fatal
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


def test_mostly_bad_records_stop_the_worker() -> None:
    share = RejectedShare(0.5, 1_000)
    share.note(900, 900)  # too few to judge
    with pytest.raises(Fatal, match="cannot be used"):
        share.note(200, 50)


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
