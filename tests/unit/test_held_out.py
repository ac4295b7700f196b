"""Laws of what the re-ranker learns from: the newest events, before towers that have not learned them."""

from functools import cache

import numpy as np
import pytest
import torch

from streams.errors import SettingError
from streams.settings import load_settings
from streams.settings.state import StateSettings
from streams.settings.training import TrainingSettings
from tests.unit.test_evidence import ITEMS, sequences
from tests.unit.test_evidence import texts as unit_texts
from tests.unit.test_towers import older, texts
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch
from workers.ranking.model.evidence import Counted
from workers.ranking.model.features import NAMES
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.objective import MASKED
from workers.ranking.model.pair_features import pair_features
from workers.ranking.model.reranker import FEATURES, Reranker
from workers.ranking.model.reranker_examples import Choices, Examples, examples_of
from workers.ranking.model.reranker_training import choice_loss, teach_reranker, text_loss
from workers.ranking.model.sequences import read_events
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.training import train_on

SETTINGS = TrainingSettings(neighbours=ITEMS, folds=3, id_dropout=0.5, reranker_candidates=20, seed=1)
SHORT = TrainingSettings(
    width=16, layers=1, epochs=2, evaluate_every=2, finish_epochs=0, reranker_epochs=3, reranker_hidden=8,
    neighbours=20, action_epochs=0,
)  # fmt: skip
SIGNAL = NAMES.index("covisited_2")


@cache
def made() -> tuple[Examples, TwoTowers, torch.Tensor, Counted]:
    log = sequences()
    vectors = torch.from_numpy(unit_texts())
    towers = TwoTowers(Shape(8, ITEMS, 16, 1, 2, 20), seed=2)
    counted = Counted.of(log, unit_texts(), SETTINGS)
    return examples_of(towers, vectors, log, held_out(), counted, settings=SETTINGS), towers, vectors, counted


def held_out() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    times_ms = sequences().events.times_ms
    return times_ms >= np.quantile(times_ms, 0.8)


def test_examples_are_the_held_out_events_whose_item_is_among_the_best_before_it() -> None:
    log = sequences()
    examples, towers, vectors, counted = made()
    asked = np.flatnonzero(held_out() & log.is_first & (log.starts < np.arange(len(log.starts))))
    assert 0 < len(examples.known.own) <= len(asked)
    with torch.inference_mode():
        items = towers.eval().item(vectors, torch.arange(1, ITEMS + 1))
    lines = iter(range(len(examples.known.own)))
    left_out = 0
    for event in asked.tolist():
        start = int(log.starts[event])
        rows, signals = log.events.rows[start:event][-20:], log.events.signals[start:event][-20:]
        histories = cut_histories(log.events, np.array([start]), np.array([event]), 20)
        gaps = torch.from_numpy(histories.gaps)
        with torch.inference_mode():
            user = towers.user(items[torch.from_numpy(rows)][None], torch.from_numpy(signals)[None], gaps)[0, -1]
        scores = user @ items.T
        scores[torch.from_numpy(log.events.rows[start:event])] = MASKED
        best = scores.topk(20).indices
        target = int(log.events.rows[event])
        if target not in best.tolist():
            left_out += 1
            continue
        line = next(lines)
        column = int(examples.known.own[line])
        assert int(best[column]) == target
        torch.testing.assert_close(examples.known.base[line], scores[best], atol=1e-4, rtol=1e-4)
        found = pair_features(counted, log, np.array([event]), best.numpy()[None], crossed=True)
        there = scores[best] > MASKED / 2  # what was seen fills up, in no order
        torch.testing.assert_close(examples.known.found[line][there], torch.from_numpy(found)[there])
    assert next(lines, None) is None
    assert left_out == len(asked) - len(examples.known.own)


def test_some_items_have_no_name_only_where_training_drops_names() -> None:
    examples, towers, vectors, counted = made()
    assert not examples.known.nameless.any()
    assert 0.3 < float(examples.new.nameless.float().mean()) < 0.7
    never = SETTINGS.model_copy(update={"id_dropout": 0.0})
    found = examples_of(towers, vectors, sequences(), held_out(), counted, settings=never)
    assert not len(found.new.own)
    nothing = examples_of(towers, vectors, sequences(), held_out() & False, counted, settings=SETTINGS)
    assert not len(nothing.known.own)


def drawn_choices(count: int = 400, width: int = 20) -> Choices:
    """Return choices in which the item that comes next is told by one feature alone, four times in five."""
    draws = torch.Generator().manual_seed(3)
    own = torch.randint(width, (count,), generator=draws)
    found = torch.randn(count, width, FEATURES - 1, generator=draws)
    found[..., NAMES.index("unmet")] = 0
    told = torch.where(torch.rand(count, generator=draws) < 0.8, own, (own + 1) % width)
    found[torch.arange(count), told, SIGNAL] += 4
    return Choices(own, torch.randn(count, width, generator=draws), found, torch.rand(found.shape[:2]) < 0.3)


def taught(examples: Examples) -> tuple[Reranker, list[Epoch]]:
    told: list[Epoch] = []
    chosen = SHORT.model_copy(update={"reranker_epochs": 40})
    reranker = teach_reranker(Reranker(8), examples, chosen, progress=told.append, checkpoints=Checkpoints())
    return reranker, told


def test_what_tells_the_next_item_is_learned() -> None:
    learned, other = drawn_choices(), drawn_choices()
    nobody = learned.part(np.zeros(0, np.int64))
    reranker, told = taught(Examples(learned, nobody))
    assert [(epoch.stage, epoch.number) for epoch in told] == [("reranker", 3 + number) for number in range(40)]

    def hits(who: Reranker) -> float:
        with torch.no_grad():
            scores = who(other.base.flatten(), other.found.flatten(0, 1)).view(other.base.shape)
        return float((scores.argmax(1) == other.own).float().mean())

    assert hits(reranker) > 0.6 > 0.2 > hits(Reranker(8))
    same, told = taught(Examples(nobody, nobody))
    assert not told
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), Reranker(8).parameters(), strict=True))


def test_only_the_score_of_the_unmet_learns_from_items_without_a_name() -> None:
    reranker, draws = Reranker(8), np.random.default_rng(0)
    text_loss(reranker, drawn_choices(), draws).backward()
    learned = {name for name, weight in reranker.named_parameters() if weight.grad is not None}
    assert learned == {"unmet.weight", "unmet.bias"}
    choice_loss(reranker, drawn_choices(), draws).backward()
    assert reranker.linear.weight.grad is not None


def test_the_towers_of_the_first_step_do_not_know_what_the_re_ranker_learns_from() -> None:
    log = read_events(older(), texts().item_ids, StateSettings().rating_scale)[0]
    later = log.events.times_ms >= np.quantile(log.events.times_ms, 1 - SHORT.validation_share, method="nearest")
    rows = log.events.rows.copy()
    rows[later] = np.random.default_rng(0).permutation(rows[later])
    other = log._replace(events=log.events._replace(rows=rows))
    state = StateSettings(history_length=20)
    one, two = (train_on(each, texts(), SHORT, state, "words") for each in (log, other))
    assert one.second is not None
    assert two.second is not None
    assert one.manifest.metrics["reranker_examples"] > 50
    assert all(torch.equal(weight, two.weights[name]) for name, weight in one.weights.items())
    assert any(not torch.equal(weight, two.second.weights[name]) for name, weight in one.second.weights.items())
    longer = SHORT.model_copy(update={"finish_epochs": 1})
    after = train_on(log, texts(), longer, state, "words")
    assert any(not torch.equal(weight, after.weights[name]) for name, weight in one.weights.items())


def test_without_held_out_events_there_is_no_re_ranker() -> None:
    with pytest.raises(SettingError, match="validation_share is 0"):
        load_settings(training={"validation_share": 0})
    assert load_settings(training={"validation_share": 0, "stages": ["towers"]}).training.most_epochs == 30
