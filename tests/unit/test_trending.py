"""What rises is proposed, and counts for users of whom nothing is known."""

import numpy as np
import pytest

from streams.contracts import EventType
from streams.settings.ranking import RankingSettings
from tests.unit.rising import HOUR_MS, NOW_MS, names, stranger, trend, vector, world
from workers.ranking.fusion import union
from workers.ranking.reasons import Reasons
from workers.ranking.scoring import score
from workers.ranking.sources import SOURCES, trending
from workers.ranking.trends import Trends

TRENDING = next(number for number, source in enumerate(SOURCES) if source.name == "trending")


def test_what_outruns_its_own_week_rises_and_what_is_always_popular_does_not() -> None:
    trends = Trends()
    trends.put(0, "steady", trend("steady", 4, 100, 700))
    trends.put(0, "fading", trend("fading", 0, 10, 700))
    trends.put(0, "rising", trend("rising", 20, 60, 80))
    trends.put(0, "new", trend("new", 5, 5, 5))
    here = world(trends, "steady", "fading", "rising", "new")
    assert names(here, trends.rising(here.catalogue)) == ["rising", "new", "steady"]


def test_what_is_no_sign_of_liking_makes_nothing_rise() -> None:
    trends = Trends()
    silent = (EventType.IMPRESSION, EventType.SEARCH, EventType.DISLIKE, EventType.UNLIKE, EventType.UNRATE)
    for kind in silent:
        trends.put(0, kind, trend(kind, 9, 9, 9, kind))
    here = world(trends, *silent)
    assert not len(trends.rising(here.catalogue))
    assert not trends.weekly(here.catalogue, np.arange(len(silent))).any()


def test_older_counts_are_decayed_to_the_newest_of_all() -> None:
    trends = Trends()
    trends.put(0, "old", trend("old", 0, 0, 10, ms=NOW_MS - 168 * HOUR_MS))
    trends.put(0, "new", trend("new", 0, 0, 10))
    here = world(trends, "old", "new", "unknown")
    found = trends.weekly(here.catalogue, np.arange(3))
    assert found.tolist() == pytest.approx([10 / np.e, 10, 0], rel=1e-6)


def test_a_trend_that_is_withdrawn_or_made_anew_replaces_the_one_before() -> None:
    trends = Trends()
    here = world(trends, "a")
    for value, weekly in ((3.0, 3.0), (5.0, 5.0)):
        trends.put(0, "a", trend("a", 0, value, value))
        assert trends.weekly(here.catalogue, np.arange(1)).tolist() == [weekly]
    trends.put(0, "a", None)
    assert trends.weekly(here.catalogue, np.arange(1)).tolist() == [0]


def test_the_ranking_of_what_rises_is_made_once_a_second_and_only_when_something_came() -> None:
    now = [0.0]
    trends = Trends(lambda: now[0])
    here = world(trends, "a", "b")
    trends.put(0, "a", trend("a", 1, 1, 1))
    first = trends.rising(here.catalogue)
    trends.put(0, "b", trend("b", 9, 9, 9))
    assert trends.rising(here.catalogue) is first
    now[0] = 1.0
    second = trends.rising(here.catalogue)
    assert names(here, second) == ["b", "a"]
    now[0] = 9.0
    assert trends.rising(here.catalogue) is second


def test_an_item_that_joins_the_catalogue_after_its_trend_may_rise() -> None:
    now = [0.0]
    trends = Trends(lambda: now[0])
    here = world(trends, "a")
    trends.put(0, "late", trend("late", 5, 5, 5))
    assert not len(trends.rising(here.catalogue))
    here.catalogue.put(vector("late"))
    now[0] = 2.0
    assert names(here, trends.rising(here.catalogue)) == ["late"]


def test_more_items_than_first_reserved_keep_their_trends() -> None:
    trends = Trends()
    ids = [f"i{number}" for number in range(3_000)]
    for number, item in enumerate(ids):
        trends.put(0, item, trend(item, 0, number, number))
    here = world(trends, *ids)
    assert trends.weekly(here.catalogue, np.array([0, 1, 2_999])).tolist() == [0, 1, 2_999]


def test_what_several_partitions_say_of_an_item_adds_up_each_replacing_its_own() -> None:
    trends = Trends()
    here = world(trends, "b", "a")
    for partition, item, count in (
        (2, "a", 1),
        (0, "b", 5),
        (1, "a", 10),
        (5, "a", 100),
        (1, "a", 20),
        (0, "b", 6),
    ):
        trends.put(partition, item, trend(item, count, count, count))
    assert trends.weekly(here.catalogue, np.arange(2)).tolist() == [6, 121]
    assert names(here, trends.rising(here.catalogue)) == ["a", "b"]
    assert len(trends) == 2
    trends.put(5, "a", None)
    assert trends.weekly(here.catalogue, np.arange(2)).tolist() == [6, 21]


def test_a_partition_that_heard_of_an_item_long_ago_says_less_of_it() -> None:
    trends = Trends()
    here = world(trends, "a")
    trends.put(0, "a", trend("a", 0, 0, 10, ms=NOW_MS - 168 * HOUR_MS))
    trends.put(1, "a", trend("a", 0, 0, 10))
    assert trends.weekly(here.catalogue, np.arange(1)).tolist() == pytest.approx([10 / np.e + 10], rel=1e-6)


def test_a_user_is_proposed_what_rises_but_was_not_seen_and_can_be_had() -> None:
    trends = Trends()
    for item, count in (("a", 9), ("b", 8), ("c", 7), ("d", 6)):
        trends.put(0, item, trend(item, count, count, count))
    here = world(trends, "a", "b", "c", "d")
    here.catalogue.available[1] = False
    settings = RankingSettings(trending_candidates=2)
    fresh, knows_a = trending([stranger(), stranger(0)], here, settings)
    assert (names(here, fresh), names(here, knows_a)) == (["a", "c"], ["c", "d"])


def test_without_trends_the_source_proposes_nothing() -> None:
    here = world(Trends(), "a")
    (rows,) = trending([stranger()], here, RankingSettings())
    assert rows.dtype == np.int64
    assert not len(rows)


def test_a_stranger_gets_what_rises_and_is_told_so() -> None:
    trends = Trends()
    trends.put(0, "b", trend("b", 9, 9, 9))
    here = world(trends, "a", "b")
    here.popularity[0] = 5
    nobody = stranger()
    proposals = [[np.zeros(0, np.int64)] for _ in SOURCES]
    proposals[TRENDING] = trending([nobody], here, RankingSettings())
    candidates = union(proposals)
    scores = score(nobody, np.array([0, 1]), here)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([np.log1p(5), np.log1p(9)]), "taken since, and so above the model's"
    words = Reasons([source.name for source in SOURCES])
    told = words.of(nobody, candidates.rows, candidates.sources, here)
    assert [[reason.code for reason in why] for why in told] == [["no_history", "trending"]]
