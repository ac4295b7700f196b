"""Laws of what the re-ranker looks up, against plain loops, and of what it may not know while it learns."""

from collections import defaultdict

import numpy as np
import pytest

from streams.settings.training import TrainingSettings
from workers.ranking.model.covisitation import WINDOW, covisitation_lists
from workers.ranking.model.ease import ease_lists, gram
from workers.ranking.model.evidence import Counted
from workers.ranking.model.features import (
    EASE_HALF_LIVES,
    NAMES,
    NEWEST,
    Evidence,
    Pairs,
    Trails,
    features,
)
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.pair_features import pair_features
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.trends import TRENDS, Trends

ITEMS, DAY_MS = 30, 86_400_000
SETTINGS = TrainingSettings(neighbours=ITEMS, folds=3)


def sequences(seed: int = 0, events: int = 900) -> Sequences:
    draws = np.random.default_rng(seed)
    rows = (ITEMS * draws.random(events) ** 2).astype(np.int64)
    signals = draws.integers(12, size=events)
    return Sequences.of(
        draws.integers(40, size=events), rows, signals, np.sort(draws.integers(90 * DAY_MS, size=events))
    )


def texts() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = np.random.default_rng(1).standard_normal((ITEMS, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)  # type: ignore[no-any-return]


def matrix(lists: Neighbours) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    found = np.zeros((len(lists.items), ITEMS), np.float32)
    for source, (items, weights) in enumerate(zip(lists.items, lists.weights, strict=True)):
        for item, weight in zip(items[items >= 0], weights[items >= 0], strict=True):
            found[source, item] = weight
    return found


def test_ease_is_the_closed_form() -> None:
    log = sequences()
    had = np.zeros((len(log.starts), ITEMS))
    had[log.starts, log.events.rows] = 1
    inverse = np.linalg.inv(had.T @ had + 250 * np.eye(ITEMS))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    every = np.arange(ITEMS)
    found = ease_lists(gram(log.starts, log.events.rows, every), every, ITEMS, ITEMS)
    np.testing.assert_allclose(matrix(found), expected, atol=1e-6)


def test_shorter_lists_keep_what_weighs_most() -> None:
    log, every = sequences(), np.arange(ITEMS)
    counts = gram(log.starts, log.events.rows, every)
    whole = matrix(ease_lists(counts, every, ITEMS, ITEMS))
    short = matrix(ease_lists(counts, every, ITEMS, 5))
    for line, cut in zip(np.abs(whole), np.abs(short), strict=True):
        np.testing.assert_allclose(np.sort(cut[cut > 0]), np.sort(line)[-5:], rtol=1e-6)


def test_items_beyond_the_head_have_no_list() -> None:
    log, head = sequences(), np.array([0, 2, 5])
    lists = ease_lists(gram(log.starts, log.events.rows, head), head, ITEMS, 10)
    assert np.flatnonzero((lists.items >= 0).any(axis=1)).tolist() == head.tolist()
    assert set(np.unique(lists.items)) == {-1, *head.tolist()}


def test_covisitation_counts_what_follows_by_distance() -> None:
    log = sequences(events=300)
    sums: defaultdict[tuple[int, int], float] = defaultdict(float)
    users, rows = log.starts.tolist(), log.events.rows.tolist()
    for place in range(len(users)):
        for distance in range(1, WINDOW + 1):
            if place + distance < len(users) and users[place + distance] == users[place]:
                sums[rows[place], rows[place + distance]] += 1 / distance
    pairs = {pair: value for pair, value in sums.items() if pair[0] != pair[1]}
    totals: defaultdict[int, float] = defaultdict(float)
    for (source, _), value in pairs.items():
        totals[source] += value
    taken = np.bincount(log.events.rows, minlength=ITEMS)
    found = matrix(covisitation_lists(log.starts, log.events.rows, ITEMS, ITEMS))
    for (source, target), value in pairs.items():
        expected = 10 * value / ((totals[source] + 5) * (taken[target] + 5) ** 0.3)
        assert found[source, target] == pytest.approx(expected, rel=1e-5)
    assert (found > 0).sum() == len(pairs)


def test_a_user_is_not_in_the_evidence_that_it_learns_from() -> None:
    log = sequences()
    counted = Counted.of(log, texts(), SETTINGS)
    event = int(np.flatnonzero(np.arange(len(log.starts)) - log.starts >= 5)[0])
    mine = log.starts == log.starts[event]
    strange = np.where(mine, (log.events.rows * 7 + 3) % ITEMS, log.events.rows)
    other = Counted.of(log._replace(events=log.events._replace(rows=strange)), texts(), SETTINGS)
    fold = int(counted.folds[event])
    block = slice(fold * ITEMS, (fold + 1) * ITEMS)
    for one, same in zip(counted.crossed, other.crossed, strict=True):
        np.testing.assert_allclose(
            matrix(Neighbours(one.items[block], one.weights[block])),
            matrix(Neighbours(same.items[block], same.weights[block])),
            atol=1e-5,
        )
    assert not np.allclose(matrix(counted.whole.covisited), matrix(other.whole.covisited))


def test_features_of_training_know_nothing_from_the_target_on() -> None:
    log = sequences()
    events = np.flatnonzero(np.arange(len(log.starts)) - log.starts >= 5)[:40]
    candidates = np.tile(np.arange(10), (len(events), 1))
    counted = Counted.of(log, texts(), SETTINGS)
    before = pair_features(counted, log, events, candidates, crossed=True)
    for place, event in enumerate(events.tolist()):
        newest_ms = log.events.times_ms[event - 1]
        later = log.events.times_ms > newest_ms
        rows = np.where(later, (log.events.rows + 11) % ITEMS, log.events.rows)
        # The counts of the past are the same; only events and trends after the newest one are others.
        trends = Trends(
            rows, log.events.signals, np.where(later, log.events.times_ms + 5, log.events.times_ms), ITEMS
        )
        moved = log._replace(events=log.events._replace(rows=rows))
        after = pair_features(counted._replace(trends=trends), moved, events, candidates, crossed=True)
        np.testing.assert_allclose(
            before[place * 10 : place * 10 + 10], after[place * 10 : place * 10 + 10], atol=0.2
        )


def test_a_snapshot_of_trends_holds_what_was_earlier_and_nothing_else() -> None:
    log = sequences()
    trends = Trends(log.events.rows, log.events.signals, log.events.times_ms, ITEMS)
    for moment_ms in (0, DAY_MS, 40 * DAY_MS, 200 * DAY_MS):
        number = int(trends.as_of(np.array([moment_ms]))[0])
        stands_at = trends.moments_ms[number]
        assert stands_at <= max(moment_ms, int(trends.moments_ms[0]))
        earlier = log.events.times_ms < stands_at
        counts = np.bincount(log.events.rows[earlier], minlength=ITEMS)
        np.testing.assert_allclose(np.expm1(trends.values[number, :, 2]), counts, rtol=0.01, atol=1e-4)


def example(draws: np.random.Generator, owners: int, each: int) -> tuple[Evidence, Trails, Pairs]:
    log = sequences()
    evidence = Counted.of(log, texts(), SETTINGS).whole
    rows = draws.integers(-1, ITEMS, size=(owners, NEWEST))
    candidates = np.stack([draws.permutation(ITEMS)[:each] for _ in range(owners)]).ravel()
    trends = draws.random((owners * each, TRENDS)).astype(np.float32)
    met = np.zeros(len(trends), np.bool_)
    pairs = Pairs(np.repeat(np.arange(owners), each), candidates, candidates, trends, met)
    return evidence, Trails(rows, rows, draws.integers(1, 99, size=owners)), pairs


def test_features_are_decayed_sums_over_the_history() -> None:
    evidence, trails, pairs = example(np.random.default_rng(5), 4, 12)
    found = features(evidence, ITEMS, texts(), trails, pairs)
    weights = {"ease": matrix(evidence.ease), "covisited": matrix(evidence.covisited)}
    assert found[:, NAMES.index("covisited_2")].any()
    for line, (owner, item) in enumerate(zip(pairs.owners.tolist(), pairs.items.tolist(), strict=True)):
        for kind, half_life in [("covisited", 2.0), *(("ease", half_life) for half_life in EASE_HALF_LIVES)]:
            expected = sum(
                weights[kind][source, item] * 0.5 ** (age / half_life)
                for age, source in enumerate(trails.sources[owner].tolist())
                if source >= 0
            )
            assert found[line, NAMES.index(f"{kind}_{half_life:g}")] == pytest.approx(expected, abs=1e-5)
        assert found[line, NAMES.index("events")] == pytest.approx(np.log1p(trails.events[owner]))


def test_features_of_a_pair_do_not_depend_on_the_other_pairs() -> None:
    evidence, trails, pairs = example(np.random.default_rng(6), 5, 9)
    together = features(evidence, ITEMS, texts(), trails, pairs)
    for owner in range(5):
        here: Integers = np.flatnonzero(pairs.owners == owner)
        mine = Trails(*(column[owner : owner + 1] for column in trails))
        for pick in (here, here[3:4]):
            _, items, lines, trends, unmet = pairs
            alone = Pairs(np.zeros_like(pick), items[pick], lines[pick], trends[pick], unmet[pick])
            np.testing.assert_allclose(features(evidence, ITEMS, texts(), mine, alone), together[pick], atol=1e-5)


def test_an_unknown_item_has_text_and_trends_alone() -> None:
    evidence, trails, pairs = example(np.random.default_rng(7), 1, 6)
    strange = features(evidence, ITEMS, texts(), trails, pairs._replace(items=np.full(6, -1)))
    assert not strange[:, : NAMES.index("text")].any()
    assert (strange[:, NAMES.index("text")] > 0).all()


def test_events_of_one_user_and_one_moment_take_any_order_and_no_others_do() -> None:
    draws = np.random.default_rng(8)
    users, times = draws.integers(5, size=200), draws.integers(20, size=200)
    log = Sequences.of(users, draws.integers(ITEMS, size=200), draws.integers(12, size=200), times)
    other = log.reordered(draws)
    assert (other.starts == log.starts).all()
    assert (other.events.times_ms == log.events.times_ms).all()
    assert (other.events.rows != log.events.rows).any()

    def groups(found: Sequences) -> set[tuple[int, ...]]:
        columns = np.stack([found.starts, found.events.times_ms, found.events.rows, found.events.signals])
        return set(map(tuple, columns.T.tolist()))

    assert groups(other) == groups(log)
    for start in np.unique(other.starts):  # what was acted on before is told anew
        mine = other.starts == start
        assert (
            other.is_first[mine]
            == [row not in other.events.rows[mine][:place] for place, row in enumerate(other.events.rows[mine])]
        ).all()


def test_events_of_different_moments_keep_their_order() -> None:
    log = sequences()
    other = log.reordered(np.random.default_rng(9))
    assert all((mine == theirs).all() for mine, theirs in zip(log.events, other.events, strict=True))
