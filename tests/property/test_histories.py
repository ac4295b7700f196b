"""Laws of the histories that the user tower reads, in training and in serving."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streams.contracts import EventType
from streams.contracts.events import RETRACTIONS
from workers.ranking.model.histories import EventColumns, Step, build_histories, cut_histories
from workers.ranking.model.signals import EVENT_TYPES, GAPS, NO_GAP, SIGNALS, gap_bucket, signal_of

START_MS = 880_000_000_000


@st.composite
def sequence(draw: st.DrawFn) -> list[Step]:
    gaps = draw(st.lists(st.integers(0, 200 * 86_400_000), max_size=12))
    times = START_MS + np.cumsum([0, *gaps])[1:]
    return [(draw(st.integers(0, 99)), draw(st.integers(0, SIGNALS - 1)), int(time)) for time in times]


sequences = st.lists(sequence(), max_size=6)
lengths = st.integers(1, 8)


@given(sequences, lengths)
def test_history_holds_the_newest_events_in_order_and_zeros_behind(users: list[list[Step]], length: int) -> None:
    batch = build_histories(users, length)
    assert batch.lengths.tolist() == [min(len(user), length) for user in users]
    for line, user in enumerate(users):
        count = batch.lengths[line]
        kept = user[-length:]
        assert batch.rows[line, :count].tolist() == [row for row, _, _ in kept]
        assert batch.signals[line, :count].tolist() == [signal for _, signal, _ in kept]
        for column in batch[:3]:
            assert not column[line, count:].any()
            assert column.dtype == np.int64


@given(sequences, lengths)
def test_first_gap_is_unknown_and_the_others_look_back(users: list[list[Step]], length: int) -> None:
    batch = build_histories(users, length)
    for line, user in enumerate(users):
        times = [time for _, _, time in user[-length:]]
        expected = [NO_GAP, *gap_bucket(np.array(times[1:], np.int64) - np.array(times[:-1], np.int64)).tolist()][
            : len(times)
        ]
        assert batch.gaps[line, : len(times)].tolist() == expected


@given(sequences, lengths)
def test_training_and_serving_build_the_same_history(users: list[list[Step]], length: int) -> None:
    steps = np.array([step for user in users for step in user], np.int64).reshape(-1, 3)
    ends = np.cumsum([len(user) for user in users], dtype=np.int64)
    starts = ends - np.array([len(user) for user in users], np.int64)
    cut = cut_histories(EventColumns(*steps.T), starts, ends, length)
    for one, other in zip(cut, build_histories(users, length), strict=True):
        np.testing.assert_array_equal(one, other)


@given(sequences, lengths)
def test_other_users_of_the_batch_change_nothing(users: list[list[Step]], length: int) -> None:
    together = build_histories(users, length)
    for line, user in enumerate(users):
        alone = build_histories([user], length)
        width = alone.rows.shape[1]
        for one, all_of_them in zip(alone[:3], together[:3], strict=True):
            np.testing.assert_array_equal(one[0], all_of_them[line, :width])


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_longer_gaps_never_have_smaller_buckets(gaps: list[int]) -> None:
    buckets = gap_bucket(np.sort(np.array(gaps, np.int64)))
    assert np.all(np.diff(buckets) >= 0)
    assert buckets.min() > NO_GAP
    assert buckets.max() < GAPS


@given(st.floats(-10, 20), st.floats(-10, 20))
def test_better_ratings_never_have_smaller_signals(one: float, other: float) -> None:
    rating = EVENT_TYPES.index(EventType.RATING)
    low, high = sorted((one, other))
    assert 0 <= signal_of(rating, low, 1, 5) <= signal_of(rating, high, 1, 5) < 5


def test_each_star_and_each_type_has_its_own_signal() -> None:
    stars = [signal_of(EVENT_TYPES.index(EventType.RATING), star, 1, 5) for star in (1, 2, 3, 4, 5)]
    silent = {EventType.IMPRESSION, EventType.SEARCH, EventType.RATING, *RETRACTIONS}
    types = [signal_of(number, None, 1, 5) for number, kind in enumerate(EVENT_TYPES) if kind not in silent]
    assert len({*stars, *types}) == len(stars) + len(types)
    assert max(stars + types) < SIGNALS


@pytest.mark.parametrize("silent", [EventType.IMPRESSION, EventType.SEARCH, *sorted(RETRACTIONS)])
def test_events_that_are_no_act_have_no_signal(silent: EventType) -> None:
    with pytest.raises(ValueError, match="no signal"):
        signal_of(EVENT_TYPES.index(silent), None, 1, 5)
