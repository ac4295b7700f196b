"""Laws of the evaluation: what may enter a score, what chance gives, what is known to be right."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from workers.datasets import movielens
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.bootstrap import paired
from workers.ranking.evaluation.evaluate import training_set
from workers.ranking.evaluation.learned import mask_seen
from workers.ranking.evaluation.measuring import ask, summary
from workers.ranking.evaluation.metrics import hit_rate_at, mrr_at, ndcg_at, ranks_of
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.systems import Linear, OrPopular, Popularity, baselines, dense, histories
from workers.ranking.model.batch import Negatives
from workers.ranking.model.ease import ease_lists, gram
from workers.ranking.model.features import unit_texts
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.training import ItemTexts

ITEMS = 60
HOUR_MS = 3_600_000


def log(seed: int = 0, users: int = 80, events: int = 2_400) -> Sequences:
    """Return a log of users who walk along the items in small steps, with popular ones in between."""
    draws = np.random.default_rng(seed)
    who = draws.integers(users, size=events)
    places = np.zeros(users, np.int64)
    rows = np.zeros(events, np.int64)
    for event, user in enumerate(who.tolist()):
        places[user] = (places[user] + draws.integers(1, 4)) % ITEMS if places[user] else draws.integers(1, ITEMS)
        rows[event] = places[user] if draws.random() < 0.8 else int(ITEMS * draws.random() ** 3)
    return Sequences.of(who, rows, draws.integers(5, size=events), np.arange(events) * HOUR_MS)


def texts() -> Matrix:
    draws = np.random.default_rng(1)
    vectors = draws.standard_normal((ITEMS, 16)).astype(np.float32)
    return unit_texts(vectors, vectors.mean(axis=0))


def every_protocol() -> list[Questions]:
    found = log()
    return [
        protocols.leave_one_out(found),
        protocols.leave_one_out(found, back=2),
        protocols.time_split(found, 0.2),
        protocols.prequential(found, 0.2),
        protocols.cold_items(found, 0.1, 100),
    ]


@pytest.mark.parametrize("questions", every_protocol(), ids=lambda questions: questions.name)
def test_nothing_later_than_the_last_applied_event_enters_a_score(questions: Questions) -> None:
    places = protocols.positions(questions.log)
    systems = baselines(questions, texts())
    draws = np.random.default_rng(3)
    for question in draws.permutation(len(questions.ends))[:8].tolist():
        asked = questions.part(np.array([question]))
        end = int(asked.ends[0])
        allowed = places < asked.applied[0]
        assert allowed[asked.starts[0] : end].all(), "the history itself has been applied"
        events = questions.log.events
        later = ~allowed
        # What comes later is other items, in another order, at other times, the target's own included.
        rows = np.where(later, draws.integers(ITEMS, size=len(later)), events.rows)
        times_ms = np.where(
            later, events.times_ms.max() + draws.integers(1, 10**9, size=len(later)), events.times_ms
        )
        changed = asked._replace(
            log=questions.log._replace(events=events._replace(rows=rows, times_ms=times_ms)),
            targets=(asked.targets + 1) % ITEMS,
        )
        for name, system in systems.items():
            np.testing.assert_array_equal(system.scores(asked), system.scores(changed), err_msg=name)


@pytest.mark.parametrize("questions", every_protocol(), ids=lambda questions: questions.name)
def test_no_target_is_learned_from_or_seen(questions: Questions) -> None:
    rows, learned = questions.log.events.rows, questions.train
    for start, end, target in zip(questions.starts, questions.ends, questions.targets, strict=True):
        assert target not in rows[start:end]
        if questions.name == "cold_items":
            assert target not in rows
        elif questions.name.startswith("leave_one_out"):
            assert not learned[end]
    if questions.name in {"prequential", "time_split"}:
        times_ms = questions.log.events.times_ms
        assert times_ms[learned].max() <= times_ms[~learned].min()
    assert len(questions.ends) > 20


def test_prequential_questions_come_in_time_and_each_history_is_whole() -> None:
    questions = protocols.prequential(log(), 0.2)
    assert all(one <= other for one, other in pairwise(questions.applied.tolist()))
    np.testing.assert_array_equal(questions.log.starts[questions.ends], questions.starts)
    np.testing.assert_array_equal(questions.log.events.rows[questions.ends], questions.targets)


def test_an_item_that_could_not_be_shown_is_no_negative() -> None:
    questions = protocols.cold_items(log(), 0.1, 100)
    negatives = Negatives(questions.past, ITEMS, np.random.default_rng(0))
    assert not negatives.trained[questions.targets].any()
    assert negatives.trained.sum() > ITEMS // 2


def test_an_item_that_could_not_be_shown_was_in_no_catalogue_that_is_learned_from() -> None:
    questions = protocols.cold_items(log(), 0.1, 100)
    items = ItemTexts(tuple(f"i{number}" for number in range(ITEMS)), texts())
    past, known = training_set(questions, items)
    assert not {items.item_ids[row] for row in questions.targets} & set(known.item_ids)
    named = [known.item_ids[row] for row in past.events.rows]
    assert named == [items.item_ids[row] for row in questions.past.events.rows]
    np.testing.assert_array_equal(known.text_vectors[past.events.rows], texts()[questions.past.events.rows])
    same = training_set(protocols.prequential(log(), 0.2), items)[1]
    assert same.item_ids == items.item_ids


def test_a_log_with_permuted_items_gives_chance() -> None:
    found = log(events=6_000)
    permuted = np.random.default_rng(4).integers(ITEMS, size=len(found.starts))
    users = found.starts
    strange = Sequences.of(users, permuted, found.events.signals, found.events.times_ms)
    questions = protocols.prequential(strange, 0.3)
    answered = ask(questions, baselines(questions, texts()), ITEMS, None)
    unseen = np.array(
        [
            ITEMS - len(np.unique(strange.events.rows[start:end]))
            for start, end in zip(questions.starts, questions.ends, strict=True)
        ]
    )
    chance = np.minimum(10 / unseen, 1).mean()
    for name, answers in answered.answers.items():
        error = 4 / np.sqrt(len(answers.ranks)) / 2
        assert abs(hit_rate_at(10, answers.ranks) - chance) < error, name


def test_evidence_beats_popularity_where_the_next_item_is_near() -> None:
    questions = protocols.prequential(log(), 0.2)
    answered = ask(questions, baselines(questions, texts()), ITEMS, None)
    measured = {name: summary(name, answered, texts()) for name in answered.answers}
    assert measured["covisitation"]["ndcg_at_10"] > 1.5 * measured["popularity_all"]["ndcg_at_10"]
    assert not answered.found, "nobody asked for candidates"


def test_popularity_counts_what_was_applied_and_nothing_else() -> None:
    questions = protocols.prequential(log(), 0.2)
    scores = Popularity(ITEMS).scores(questions)
    by_time = np.argsort(questions.log.events.times_ms)
    for question in (0, 7, len(scores) - 1):
        before = questions.log.events.rows[by_time[: questions.applied[question]]]
        counts = np.bincount(before, minlength=ITEMS)
        np.testing.assert_allclose(scores[question], np.log1p(counts), rtol=1e-5)


def test_an_empty_history_is_answered_by_the_popularity_of_the_week() -> None:
    questions = protocols.prequential(log(users=700), 0.2)
    empty = np.flatnonzero(questions.ends == questions.starts)
    assert len(empty) > 0
    weights = np.eye(ITEMS, dtype=np.float32)
    found = OrPopular(Linear(weights, None), ITEMS).scores(questions)
    np.testing.assert_array_equal(found[empty], Popularity(ITEMS, 7.0).scores(questions)[empty])


def test_interval_of_equal_systems_is_nothing_and_of_unequal_ones_excludes_it() -> None:
    draws = np.random.default_rng(0)
    users = np.repeat(np.arange(200), 5)
    theirs = draws.random(1_000)
    same, _ = paired(theirs, theirs, users)
    assert tuple(same) == (0.0, 0.0, 0.0)
    better, ratio = paired(theirs + 0.1, theirs, users)
    assert better.low <= better.value <= better.high
    assert better.low == pytest.approx(0.1) == better.high
    assert 1 < ratio.low < ratio.value < ratio.high


def test_one_users_events_count_as_one_draw() -> None:
    draws = np.random.default_rng(0)
    mine, other = np.repeat(draws.random((2, 100)), 20, axis=1)
    clustered, _ = paired(mine, other, np.repeat(np.arange(100), 20))
    alone, _ = paired(mine, other, np.arange(2_000))
    assert clustered.high - clustered.low > 3 * (alone.high - alone.low)


def test_mean_reciprocal_rank_of_known_ranks() -> None:
    assert mrr_at(10, np.array([1.0, 4.0, 11.0])) == pytest.approx((1 + 1 / 4) / 3)
    assert mrr_at(10, np.empty(0)) == 0


@pytest.mark.skipif(
    not (Path(platformdirs.user_cache_dir("headrace")) / movielens.NAME).is_dir(),
    reason="MovieLens-100K has not been downloaded yet",
)
def test_recboles_ease_is_reproduced_to_three_digits() -> None:
    data = movielens.load()
    events = sorted(data.events, key=lambda event: int(event.event_id.rpartition("-")[2]))
    numbers: dict[str, int] = {}
    rows = np.array([numbers.setdefault(event.item_id or "", len(numbers)) for event in events])
    people: dict[str, int] = {}
    users = np.array([people.setdefault(event.user_id, len(people)) for event in events])
    seconds = np.array([event.event_time.timestamp() for event in events])
    # RecBole's order of ties: times scaled to 0..1 as float32, where many become equal, then a stable sort.
    scaled = ((seconds - seconds.min()) / (seconds.max() - seconds.min())).astype(np.float32)
    order: Integers = np.unique(scaled, return_inverse=True)[1].astype(np.int64)
    questions = protocols.leave_one_out(Sequences.of(users, rows, np.zeros_like(rows), order))
    past, every, items = questions.past, np.arange(len(numbers)), len(numbers)
    ease = dense(ease_lists(gram(past.starts, past.events.rows, every), every, items, items))
    scores = histories(questions._replace(ends=questions.ends - 1), items, None) @ ease
    ranks = ranks_of(mask_seen(scores, questions), questions.targets)
    assert hit_rate_at(10, ranks) == pytest.approx(0.1347, abs=5e-4)
    assert ndcg_at(10, ranks) == pytest.approx(0.0706, abs=5e-4)
    assert mrr_at(10, ranks) == pytest.approx(0.0513, abs=5e-4)
