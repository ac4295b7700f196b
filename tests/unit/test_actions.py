"""Laws of the action heads: what counts as an action, what they learn, and that the ranking does not feel them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from streams.errors import DataError
from streams.settings.ranking import ACTIONS, RankingSettings
from streams.settings.training import TrainingSettings
from tests.ranking import worlds
from tests.unit.test_learning import SETTINGS, STATE
from tests.unit.test_towers import older, texts
from workers.datasets import sample
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.acting import action_measures, target_events
from workers.ranking.evaluation.evaluate import evaluate, read_log
from workers.ranking.model.action_training import teach_actions
from workers.ranking.model.actions import WINDOW_MS, actions_taken
from workers.ranking.model.bundle import ACTIONS_FILE, Bundle
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import EVENT_TYPES, RATING_BUCKETS, signal_of
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.training import train, train_on
from workers.ranking.model.worth import check_actions, worth


def signal(name: str, value: float | None = None) -> int:
    return signal_of([event_type.value for event_type in EVENT_TYPES].index(name), value, 1, 5)


def taken(*events: tuple[int, int, str, float | None, int]) -> list[set[str]]:
    """Return the actions on each first (user, item); an event is user, item, type, value, milliseconds."""
    columns = [(user, item, signal(name, value), time) for user, item, name, value, time in events]
    log = Sequences.of(*np.array(columns, np.int64).T)
    found = actions_taken(log, np.flatnonzero(log.is_first))
    return [{ACTIONS[place] for place in np.flatnonzero(line)} for line in found]


def test_a_rating_is_also_a_like_or_a_dislike_by_its_end_of_the_scale() -> None:
    stars = [taken((0, 0, "rating", float(value), 0))[0] for value in (1, 2, 3, 4, 5)]
    assert stars == [{"rating", "dislike"}] * 2 + [{"rating"}] + [{"rating", "like"}] * 2


def test_an_action_counts_for_its_user_and_item_within_a_day_of_the_first_event() -> None:
    found = taken(
        (0, 7, "view", None, 0),
        (0, 7, "purchase", None, WINDOW_MS),
        (0, 7, "like", None, WINDOW_MS + 1),
        (0, 8, "click", None, 5),
        (1, 7, "dislike", None, 3),
    )
    assert found == [{"view", "purchase"}, {"click"}, {"dislike"}]


def test_parts_of_the_worth_add_up_and_nothing_weighed_adds_nothing() -> None:
    chances = np.random.default_rng(0).random((500, 3)).astype(np.float32)
    chances[0] = 0
    actions, weights = ("like", "dislike", "purchase"), {"like": 0.5, "dislike": -0.9, "purchase": 2.0}
    parts = worth(chances, actions, weights)
    x = chances @ np.array([0.5, -0.9, 2.0])
    np.testing.assert_allclose(sum(parts.values()), np.log1p(x), atol=1e-5)
    assert (parts["like"] >= 0).all()
    assert (parts["dislike"] <= 0).all()
    assert worth(chances, actions, {}) == {} == worth(chances, actions, {"like": 0.0})


@pytest.mark.parametrize("weights", [{"dislike": 0.1}, {"like": -0.1}, {"dislike": -1.0}, {"sneeze": 1.0}])
def test_weights_without_meaning_are_refused_by_name(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=f"action_weights.*{next(iter(weights))}"):
        RankingSettings(action_weights=weights)


def planted(users: int = 300, items: int = 40) -> Sequences:
    """Return a log in which even items are liked and odd ones disliked, but every third user likes them all."""
    draws = np.random.default_rng(0)
    who = np.repeat(np.arange(users), 20)
    rows = np.concatenate([draws.permutation(items)[:20] for _ in range(users)])
    liked = (rows % 2 == 0) | (who % 3 == 0)
    signals = np.where(liked, signal("like"), signal("dislike"))
    return Sequences.of(who, rows, signals, np.tile(np.arange(20), users) * WINDOW_MS)


def test_heads_learn_an_action_that_depends_on_both_user_and_item() -> None:
    log, items = planted(), 40
    shape = Shape(text_dimension=8, known_items=items, width=16, layers=1, heads=2, history_length=20)
    vectors = torch.randn(items, 16, generator=torch.Generator().manual_seed(1))
    settings = TrainingSettings(action_epochs=60)
    taught = teach_actions(TwoTowers(shape, seed=0), vectors, log, None, settings)
    assert taught.heads is not None
    assert taught.heads.actions == ("like", "dislike")
    for action in ("like", "dislike"):
        learned, base = (taught.metrics[f"action_{action}_{name}log_loss"] for name in ("", "base_"))
        assert base > 0.6
        assert learned < 0.3 * base


def test_the_ranking_does_not_feel_the_heads(tmp_path: Path) -> None:
    def trained(action_epochs: int) -> Bundle:
        settings = SETTINGS.model_copy(update={"action_epochs": action_epochs})
        return train(texts(), older(), settings, STATE, "words")

    without, with_heads = trained(0), trained(2)
    assert without.actions is None
    assert with_heads.actions is not None
    assert with_heads.weights.keys() == without.weights.keys()
    for name, weight in without.weights.items():
        assert torch.equal(weight, with_heads.weights[name]), name
    assert without.second is not None
    assert with_heads.second is not None
    for name, weight in without.second.weights.items():
        assert torch.equal(weight, with_heads.second.weights[name]), name
    assert Model(without).actions is None
    loaded = with_heads.save(tmp_path / "bundle").load(tmp_path / "bundle")
    heads, same = Model(with_heads).actions, Model(loaded).actions
    assert heads is not None
    assert same is not None
    assert heads.actions == same.actions == ACTIONS, "the made-up shop has every action"
    assert all(torch.equal(weight, loaded.actions[name]) for name, weight in with_heads.actions.items())  # type: ignore[index]
    (tmp_path / "bundle" / ACTIONS_FILE).write_bytes(b"other")
    with pytest.raises(DataError, match=r"actions\.safetensors is damaged"):
        Bundle.load(tmp_path / "bundle")


def test_evaluation_knows_the_target_event_and_measures_what_the_weights_do() -> None:
    data = sample.load()
    log = read_log(data.events, texts(), data.rating_scale)
    questions = protocols.prequential(log, 0.2)
    np.testing.assert_array_equal(target_events(questions), questions.ends)
    cold = protocols.cold_items(log, 0.1, 100)
    assert (target_events(cold) == -1).all()
    model = Model(train_on(questions.past, texts(), SETTINGS, STATE, "words"))
    assert action_measures(cold, model, texts()) == {}
    plain, weighed = (
        evaluate(questions, texts(), model, worlds.settings(action_weights=weights))
        for weights in ({}, {"like": 2.0, "dislike": -0.9})
    )
    assert plain["systems"]["reranked"] == {
        name: value for name, value in weighed["systems"]["reranked"].items() if name != "worth_at_10"
    }
    assert "weighted" not in plain["systems"]
    assert weighed["systems"]["weighted"]["worth_at_10"] > 0
    likes = plain["actions"]["like"]
    assert likes["auc"] > 0.5
    assert likes["questions"] == (questions.ends > questions.starts).sum()


def test_a_model_that_foretells_nothing_of_a_weighed_action_is_refused() -> None:
    model = Model(replace(worlds.bundle(), actions=worlds.heads().state_dict()))
    check_actions(model, {"like": 1.0, "view": 0.0})
    with pytest.raises(DataError, match="weighs view"):
        check_actions(model, {"like": 1.0, "view": 0.1})
    with pytest.raises(DataError, match="no action"):
        check_actions(worlds.model(), {"like": 1.0})
    assert RATING_BUCKETS == 5
