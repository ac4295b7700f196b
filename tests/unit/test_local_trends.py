"""Laws of what is done in one context: sums over partitions, whatever order they came in, and their popularity."""

from math import exp

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import ItemTrend
from streams.contracts.learning import TREND_HOURS
from tests.unit.rising import CLICK, HOUR_MS, NOW_MS, catalogue, names, trend, vector, world
from workers.ranking.catalogue import Catalogue
from workers.ranking.local_trends import PRIOR_ACTIONS, Local
from workers.ranking.trends import Trends

ITEMS = ("a", "b", "c")
WEEK_HOURS = TREND_HOURS[-1]


def told(item: str, **contexts: float) -> ItemTrend:
    """Return a trend with so many clicks of this hour in each context, and nowhere else."""
    in_all = float(sum(contexts.values()))
    whole = trend(item, in_all, in_all, in_all)
    return msgspec.structs.replace(whole, contexts={name: {CLICK.code: (n, n, n)} for name, n in contexts.items()})


def weekly(trends: Trends, context: str, held: Catalogue) -> list[float]:
    """Return how often each item was taken in a context, by row."""
    local = trends.local(context, held)
    rows = np.arange(len(held))
    if local is None:
        return [0.0] * len(rows)
    return [float(local.weekly[local.rows == row].sum()) for row in rows]


trends_of_items = st.builds(
    lambda item, hours, contexts: msgspec.structs.replace(
        told(item, **contexts), time_ms=NOW_MS - hours * HOUR_MS
    ),
    st.sampled_from(ITEMS),
    st.integers(0, 100),
    st.dictionaries(st.sampled_from(["NL", "DE", "FR"]), st.integers(1, 9).map(float), max_size=2),
)
puts = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ITEMS), st.none() | trends_of_items), max_size=20)


@given(puts)
def test_a_context_holds_the_newest_word_of_each_partition_added_up(
    said: list[tuple[int, str, ItemTrend | None]],
) -> None:
    held, trends, newest = catalogue(*ITEMS), Trends(), dict[tuple[int, str], ItemTrend | None]()
    for partition, item, what in said:
        trends.put(partition, item, what)
        newest[partition, item] = what
    now_ms = max((what.time_ms for _, _, what in said if what is not None), default=0)
    for context in ("NL", "DE", "FR"):
        want = dict.fromkeys(ITEMS, 0.0)
        for (_, item), what in newest.items():
            if what is not None and context in what.contexts:
                hours = (now_ms - what.time_ms) / HOUR_MS
                want[item] += what.contexts[context][CLICK.code][-1] * exp(-hours / WEEK_HOURS)
        assert weekly(trends, context, held) == pytest.approx(list(want.values()))
        assert (trends.local(context, held) is None) == (not any(want.values()))


@given(puts, st.randoms(use_true_random=False))
def test_the_order_in_which_partitions_are_read_does_not_matter(
    said: list[tuple[int, str, ItemTrend | None]], random: np.random.Generator
) -> None:
    held, one, other = catalogue(*ITEMS), Trends(), Trends()
    for partition, item, what in said:
        one.put(partition, item, what)
    rest = {number: [each for each in said if each[0] == number] for number in range(3)}
    while any(rest.values()):
        number = random.choice([number for number, left in rest.items() if left])
        other.put(*rest[number].pop(0))
    for context in ("NL", "DE", "FR"):
        assert weekly(one, context, held) == pytest.approx(weekly(other, context, held))


def test_what_rises_in_a_context_is_told_by_that_context_alone() -> None:
    now = [0.0]
    trends, held = Trends(lambda: now[0]), catalogue("everywhere", "here", "gone")
    trends.put(0, "everywhere", told("everywhere", NL=2.0, DE=50.0))
    trends.put(1, "here", told("here", NL=9.0))
    trends.put(2, "deleted long ago", told("deleted long ago", NL=99.0))
    faded = (0.0, 1.0, 70.0)
    trends.put(0, "gone", msgspec.structs.replace(told("gone"), contexts={"NL": {CLICK.code: faded}}))
    local = trends.local("NL", held)
    assert local is not None
    assert [held.item_id(row) for row in local.rising.tolist()] == ["here", "everywhere"]
    assert local.rose(np.arange(3)).tolist() == [True, True, False]
    assert trends.local("BE", held) is None
    trends.put(1, "here", None)
    trends.put(0, "everywhere", told("everywhere", DE=50.0))
    now[0] = 10.0
    assert weekly(trends, "NL", held) == [0, 0, 70]


def test_the_ranking_of_a_context_is_made_every_ten_seconds_and_only_when_something_came() -> None:
    now = [0.0]
    trends, held = Trends(lambda: now[0]), catalogue("a", "b")
    trends.put(0, "a", told("a", NL=1.0))
    first = trends.local("NL", held)
    trends.put(0, "b", told("b", NL=9.0))
    assert trends.local("NL", held) is first
    now[0] = 10.0
    second = trends.local("NL", held)
    assert second is not None
    assert names(world(trends, "a", "b"), second.rising) == ["b", "a"]
    now[0] = 90.0
    assert trends.local("NL", held) is second


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=8))
def test_popularity_in_a_context_shares_out_what_everybody_takes(counts: list[tuple[int, int]]) -> None:
    everywhere = np.array([all_of_them for all_of_them, _ in counts], np.float32)
    here = np.array([few for _, few in counts], np.float32)
    rows = np.flatnonzero(here)
    if not len(rows) or not everywhere.sum():
        return
    local = Local("NL", rows, rows, here[rows], np.ones(len(rows), np.bool_))
    total = float(everywhere.sum())
    found = local.popularity(everywhere, np.arange(len(counts)), total)
    assert found.sum() == pytest.approx(total, rel=1e-5), "nothing is taken more often than everything is"
    pull = here.sum() / (here.sum() + PRIOR_ACTIONS)
    shares = pull * here / here.sum() + (1 - pull) * everywhere / total
    assert found / total == pytest.approx(shares, rel=1e-4, abs=1e-6), "between here and everywhere"


def test_an_item_that_joins_the_catalogue_after_it_was_taken_somewhere_counts_there() -> None:
    now = [0.0]
    trends, held = Trends(lambda: now[0]), catalogue("a")
    trends.put(0, "late", told("late", NL=3.0))
    assert trends.local("NL", held) is None
    held.put(vector("late"))
    trends.put(0, "a", told("a", NL=2.0))
    now[0] = 10.0
    assert weekly(trends, "NL", held) == [2, 3]
