"""Prequential accuracy against answers that are known."""

from datetime import UTC, datetime, timedelta
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import Event, EventType
from workers.demo.scoring import HALF_LIFE_SECONDS, Accuracy, Popularity, Prequential

START = datetime(1998, 1, 1, tzinfo=UTC)


def click(user: str, item: str | None, days: float = 0, kind: EventType = EventType.CLICK) -> Event:
    return Event(
        event_id=f"{user}-{item}-{days}",
        event_type=kind,
        user_id=user,
        item_id=item,
        event_time=START + timedelta(days=days),
        query=None if item else "words",
    )


def test_accuracy_of_known_ranks() -> None:
    accuracy = Accuracy()
    for rank in (1, 3, 11, None):
        accuracy.add(rank)
    assert accuracy.hit_rate_at_10 == 2 / 4
    assert accuracy.ndcg_at_10 == pytest.approx((1 + 1 / log2(4)) / 4)


def test_nothing_tested_scores_nothing() -> None:
    assert (Accuracy().hit_rate_at_10, Accuracy().ndcg_at_10) == (0, 0)


def test_a_slate_is_scored_by_the_place_of_the_item_that_the_user_took() -> None:
    scores = Prequential()
    scores.test(click("a", "x"), ("y", "x"))
    scores.test(click("a", "z"), ())
    assert scores.headrace.hit_rate_at_10 == 1 / 2
    assert scores.headrace.ndcg_at_10 == pytest.approx(1 / log2(3) / 2)


def test_a_place_beyond_the_tenth_is_a_miss() -> None:
    scores = Prequential()
    scores.test(click("a", "x"), (*map(str, range(10)), "x"))
    assert scores.headrace.hit_rate_at_10 == 0


def test_an_event_does_not_count_for_its_own_test() -> None:
    scores = Prequential()
    scores.test(click("a", "x"), ())
    assert scores.popularity.hit_rate_at_10 == 0
    scores.test(click("b", "x"), ())
    assert scores.popularity.hit_rate_at_10 == 1 / 2


def test_popularity_leaves_out_what_the_user_has_had() -> None:
    counts = Popularity()
    for user in ("a", "b", "c"):
        counts.add(user, "x", 0)
    counts.add("b", "y", 0)
    assert counts.rank("a", "y") == 1
    assert counts.rank("d", "y") == 2
    assert counts.rank("a", "x") is None


def test_an_interaction_loses_half_its_weight_in_seven_days() -> None:
    counts = Popularity()
    for user in ("a", "b", "c"):
        counts.add(user, "old", 0)
    counts.add("a", "new", HALF_LIFE_SECONDS)
    assert (counts.rank("z", "old"), counts.rank("z", "new")) == (1, 2)
    counts.add("b", "new", HALF_LIFE_SECONDS)
    assert (counts.rank("z", "new"), counts.rank("z", "old")) == (1, 2)


def test_a_century_does_not_overflow() -> None:
    counts = Popularity()
    counts.add("a", "old", 0)
    counts.add("b", "new", 100 * 365 * 86_400)
    assert (counts.rank("z", "new"), counts.rank("z", "old")) == (1, 2)


def test_an_item_that_nobody_took_is_not_popular() -> None:
    assert Popularity().rank("a", "x") is None


def test_searches_and_impressions_test_nothing_and_count_nothing() -> None:
    scores = Prequential()
    scores.test(click("a", None, kind=EventType.SEARCH), ())
    scores.test(click("a", "x", kind=EventType.IMPRESSION), ("x",))
    assert scores.headrace.hit_rate_at_10 == 0
    scores.test(click("a", "x"), ("x",))
    assert scores.headrace.hit_rate_at_10 == 1


@given(
    taken=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqrstuv"), st.integers(0, 60)), max_size=40),
    user=st.sampled_from("abcz"),
    item=st.sampled_from("pqrstuv"),
)
def test_popularity_ranks_as_the_plain_sum_does(taken: list[tuple[str, str, int]], user: str, item: str) -> None:
    counts = Popularity()
    for who, what, half_lives in taken:
        counts.add(who, what, half_lives * HALF_LIFE_SECONDS)
    sums: dict[str, int] = {}  # whole half-lives keep the oracle exact
    for _, what, half_lives in taken:
        sums[what] = sums.get(what, 0) + 2**half_lives
    seen = {what for who, what, _ in taken if who == user}
    order = sorted((what for what in sums if what not in seen), key=lambda what: -sums[what])
    rank = counts.rank(user, item)
    if item not in order:
        assert rank is None
    else:
        assert rank is not None
        assert sums[order[rank - 1]] == pytest.approx(sums[item], rel=1e-9)


def test_more_items_than_first_reserved_are_ranked() -> None:
    counts = Popularity()
    for number in range(3_000):
        counts.add("a", str(number), number * HALF_LIFE_SECONDS / 100)
    assert counts.rank("z", "2999") == 1
    assert counts.rank("z", "0") == 3_000
