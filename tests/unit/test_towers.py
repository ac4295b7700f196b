"""Laws of the two towers: what a vector depends on, what training finds, and that it can be repeated."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import torch

from streams.clock import to_ms
from streams.contracts import Event, Item
from streams.errors import DataError
from streams.settings.state import RatingScale, StateSettings
from streams.settings.training import TrainingSettings
from workers.datasets import sample
from workers.ranking.evaluation.metrics import ndcg_at, ranks_of
from workers.ranking.model.batch import Negatives, make_batch
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.histories import Step, build_histories
from workers.ranking.model.sequences import Sequences, read_events
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import EVENT_TYPES, belongs_to_history, signal_of
from workers.ranking.model.stored_items import digests
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.training import ItemTexts, train
from workers.ranking.model.windows import batches, cut_windows

DIMENSION = 48
STATE = StateSettings(history_length=20)
QUICK = TrainingSettings(width=32, layers=1, epochs=10, seed=1)


def words_as_vectors(items: Sequence[Item]) -> npt.NDArray[np.float32]:
    """Return unit sums of one random direction a word."""
    draws = np.random.default_rng(0)
    directions: defaultdict[str, npt.NDArray[np.float64]]
    directions = defaultdict(lambda: draws.standard_normal(DIMENSION))
    texts = [f"{item.description} {' '.join(item.categories)}".lower().split() for item in items]
    vectors = np.array([np.sum([directions[word] for word in text], axis=0) for text in texts])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@cache
def texts() -> ItemTexts:
    items = sample.load().items
    return ItemTexts(tuple(item.item_id for item in items), words_as_vectors(items))


@cache
def trained() -> Bundle:
    return train(texts(), older(), QUICK, STATE, "words")


@cache
def older() -> Sequence[Event]:
    events = sample.load().events
    return events[: int(0.8 * len(events))]


def steps_of(events: Sequence[Event]) -> list[Step]:
    row_of = {item_id: row for row, item_id in enumerate(texts().item_ids)}
    return [
        (
            row_of[event.item_id or ""],
            signal_of(EVENT_TYPES.index(event.event_type), event.value, 1, 5),
            to_ms(event.event_time),
        )
        for event in events
        if belongs_to_history(event.event_type)
    ]


def test_training_finds_the_planted_tastes() -> None:
    measured = replayed_ndcg(older())
    assert measured["model"] >= 2 * measured["popularity"]


def test_model_of_a_log_with_shuffled_items_is_no_better_than_chance() -> None:
    events = older()
    draws = np.random.default_rng(5)
    places = [number for number, event in enumerate(events) if event.item_id is not None]
    shuffled = list(events)
    for place, other in zip(places, draws.permutation(places).tolist(), strict=True):
        shuffled[place] = msgspec.structs.replace(events[place], item_id=events[other].item_id)
    # Popularity survives the shuffle, tastes do not: chance is what popularity gives.
    assert replayed_ndcg(shuffled)["model"] < 1.6 * replayed_ndcg(shuffled)["popularity"]


def replayed_ndcg(learned_from: Sequence[Event]) -> dict[str, float]:
    """Return NDCG@10 of the first action on an item in the newest fifth, with weights frozen."""
    bundle = trained() if learned_from == older() else train(texts(), learned_from, QUICK, STATE, "words")
    model, events = Model(bundle), sample.load().events
    matrix = model.project(texts().item_ids, texts().text_vectors)
    counts = dict(zip(bundle.items.item_ids, model.popularity[:-1], strict=True))
    popularity = np.array([counts.get(item_id, 0.0) for item_id in texts().item_ids], dtype=np.float32)
    histories: defaultdict[str, list[Step]] = defaultdict(list)
    asked: list[list[Step]] = []
    targets: list[int] = []
    for number, event in enumerate(events):
        for step in steps_of([event]):
            history = histories[event.user_id]
            if number >= len(older()) and history and step[0] not in {row for row, _, _ in history}:
                asked.append(list(history))
                targets.append(step[0])
            history.append(step)
    learned = model.user_vectors(matrix, build_histories(asked, model.history_length)) @ matrix.T
    popular = np.tile(popularity, (len(asked), 1))
    for scores in (learned, popular):
        for line, history in zip(scores, asked, strict=True):
            line[[row for row, _, _ in history]] = -np.inf
    rows = np.array(targets, dtype=np.int64)
    return {name: ndcg_at(10, ranks_of(s, rows)) for name, s in (("model", learned), ("popularity", popular))}


def test_equal_seeds_give_equal_bundles_and_others_do_not() -> None:
    settings = QUICK.model_copy(update={"epochs": 2})
    runs = [settings.model_copy(update={"seed": seed}) for seed in (1, 1, 2)]
    first, second, other = (train(texts(), older(), run, STATE, "words") for run in runs)
    assert first.version == second.version
    assert first.version != other.version


def test_vector_does_not_depend_on_the_rest_of_the_batch_or_on_padding() -> None:
    model = Model(trained())
    matrix = model.project(texts().item_ids, texts().text_vectors)
    events = sample.load().events
    users = [steps_of(events[start : start + size])[:20] for start, size in ((0, 9), (50, 40), (9, 12))]
    together = model.user_vectors(matrix, build_histories(users, model.history_length))
    for line, user in enumerate(users):
        alone = model.user_vectors(matrix, build_histories([user], model.history_length))
        np.testing.assert_allclose(together[line], alone[0], atol=1e-5)


def test_training_stores_the_vectors_of_the_whole_catalogue() -> None:
    bundle = trained()
    assert bundle.stored is not None
    ids = [*bundle.items.item_ids, *bundle.items.passed_over]
    assert sorted(ids) == sorted(texts().item_ids)
    rows = [texts().item_ids.index(each) for each in ids]
    fresh = Model(replace(bundle, stored=None)).project(ids, texts().text_vectors[rows])
    np.testing.assert_array_equal(bundle.stored.vectors, fresh)
    np.testing.assert_array_equal(bundle.stored.digests, digests(texts().text_vectors[rows]))


def test_item_vector_does_not_depend_on_the_other_items() -> None:
    model = Model(trained())
    matrix = model.project(texts().item_ids, texts().text_vectors)
    one = model.project(texts().item_ids[7:8], texts().text_vectors[7:8])
    np.testing.assert_allclose(matrix[7:8], one, atol=1e-5)


def test_state_after_each_event_is_the_vector_of_that_prefix() -> None:
    model = Model(trained())
    matrix = torch.from_numpy(model.project(texts().item_ids, texts().text_vectors))
    steps = steps_of(sample.load().events[:60])[:12]
    whole = build_histories([steps], model.history_length)
    rows, signals, gaps = (torch.from_numpy(column) for column in whole[:3])
    with torch.inference_mode():
        states = model._towers.user(matrix[rows], signals, gaps)[0].numpy()
    for count in range(1, len(steps) + 1):
        prefix = model.user_vectors(matrix.numpy(), build_histories([steps[:count]], model.history_length))
        np.testing.assert_allclose(states[count - 1], prefix[0], atol=1e-5)


def test_newest_of_each_history_is_what_reading_all_of_it_says_there() -> None:
    draws = torch.Generator().manual_seed(0)
    towers = TwoTowers(Shape(DIMENSION, 10, width=16, layers=3, heads=2, history_length=20)).eval()
    for weight in towers.parameters():
        weight.data.add_(torch.randn(weight.shape, generator=draws), alpha=0.3)
    items = torch.randn(8, 20, 16, generator=draws)
    signals, gaps = torch.randint(5, (2, 8, 20), generator=draws)
    lengths = torch.tensor([1, 2, 3, 7, 12, 19, 20, 20])
    with torch.inference_mode():
        every = towers.user(items, signals, gaps)[torch.arange(8), lengths - 1]
        newest = towers.user.newest(items, signals, gaps, lengths)
    np.testing.assert_allclose(newest.numpy(), every.numpy(), atol=1e-5)


def test_time_of_the_target_and_later_events_change_no_input_of_training() -> None:
    sequences, _ = read_events(sample.load().events, texts().item_ids, RatingScale())
    negatives = Negatives(sequences, len(texts().item_ids), np.random.default_rng(0))
    start = int(sequences.starts[len(sequences.starts) // 2])
    window = np.array([[start, start + 8]])
    late = sequences.events.times_ms.copy()
    late[start + 7 :] += 10**9
    moved = sequences._replace(events=sequences.events._replace(times_ms=late))
    before, after = (make_batch(log, window, negatives, 20) for log in (sequences, moved))
    for column in ("rows", "signals", "gaps"):
        assert torch.equal(getattr(before, column), getattr(after, column))


def test_empty_history_is_the_zero_vector() -> None:
    model = Model(trained())
    matrix = model.project(texts().item_ids, texts().text_vectors)
    known = steps_of(sample.load().events[:9])
    vectors = model.user_vectors(matrix, build_histories([[], known], model.history_length))
    assert not vectors[0].any()
    assert vectors[1].any()
    assert model.user_vectors(matrix, build_histories([], model.history_length)).shape == (0, model.width)


def test_unknown_item_is_its_text_alone() -> None:
    model = Model(trained())
    text = texts().text_vectors[:1]
    new, newer, known = (model.project([name], text) for name in ("new", "newer", texts().item_ids[0]))
    np.testing.assert_array_equal(new, newer)
    assert not np.allclose(new, known)


def test_wrong_shapes_are_refused() -> None:
    model = Model(trained())
    with pytest.raises(ValueError, match="expected"):
        model.project(["a"], np.zeros((1, DIMENSION + 1), np.float32))
    with pytest.raises(ValueError, match="reads 20"):
        model.user_vectors(np.zeros((9, 32), np.float32), build_histories([[(0, 0, 0)] * 21], 21))


def test_each_event_but_a_users_first_is_a_target_once() -> None:
    draws = np.random.default_rng(2)
    users = np.repeat(np.arange(30), draws.integers(1, 70, size=30))
    sequences = Sequences.of(users, np.zeros_like(users), np.zeros_like(users), np.arange(len(users)))
    windows = cut_windows(sequences, 16, draws)
    targets = sorted(place for start, end in windows.tolist() for place in range(start + 1, end))
    assert targets == np.flatnonzero(sequences.starts < np.arange(len(users))).tolist()
    assert (windows[:, 1] - windows[:, 0]).max() <= 17
    again = np.concatenate(list(batches(windows, 4, draws)))
    assert sorted(map(tuple, again.tolist())) == sorted(map(tuple, windows.tolist()))


def test_seen_items_are_no_negatives_and_repeats_no_targets() -> None:
    users, rows = np.zeros(5, np.int64), np.array([0, 1, 0, 2, 1])
    sequences = Sequences.of(users, rows, np.zeros(5, np.int64), np.arange(5))
    batch = make_batch(sequences, np.array([[1, 5]]), Negatives(sequences, 4, np.random.default_rng(0)), 20)
    assert batch.targets.tolist() == [2]
    assert batch.places.tolist() == [1]
    assert (batch.seen_from[0, :3] <= 1).tolist() == [True, True, False]
    assert batch.is_negative.tolist() == [True, True, True, False]  # item 3 occurs nowhere


def test_what_cannot_be_learned_from_is_left_out_and_counted() -> None:
    events = list(older())
    stranger = msgspec.structs.replace(events[1], item_id="nowhere", event_id="x")
    events += [stranger, events[1]] if belongs_to_history(events[1].event_type) else [stranger]
    _, ignored = read_events(events, texts().item_ids, RatingScale())
    assert ignored["unknown_item"] == int(belongs_to_history(stranger.event_type))
    assert ignored["no_action"] > 0


def test_too_few_events_are_refused() -> None:
    with pytest.raises(DataError, match="are needed"):
        train(texts(), older()[:20], QUICK, STATE, "words")


def test_equal_seeds_start_from_equal_weights() -> None:
    shape = Shape(text_dimension=8, known_items=5, width=8, layers=1, heads=2, history_length=4)
    one, same, other = (TwoTowers(shape, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["item.identity.weight"], other["item.identity.weight"])
