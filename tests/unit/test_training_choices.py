"""What is trained is chosen in the settings; a wrong name stops at once and names itself and what there is."""

import numpy as np
import pytest
import torch

from streams.errors import SettingError
from streams.settings import load_settings
from streams.settings.state import StateSettings
from streams.settings.training import TrainingSettings
from tests.unit.test_sampling import batch_of, log
from tests.unit.test_towers import older, texts
from workers.ranking.model.batch import Negatives
from workers.ranking.model.chosen_features import read_mask
from workers.ranking.model.features import NAMES
from workers.ranking.model.objective import forward, next_item_loss
from workers.ranking.model.reranker import FEATURES, Reranker
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.training import train

STATE = StateSettings(history_length=20)
SHORT = TrainingSettings(width=16, layers=1, epochs=1, finish_epochs=1, reranker_hidden=8, neighbours=20)


@pytest.mark.parametrize(
    ("training", "named", "there"),
    [
        ({"stages": ["towers", "oracle"]}, "training.stages.1", "isolated"),
        ({"stages": ["reranker", "towers"]}, "training", "towers, reranker, isolated"),
        ({"stages": ["isolated"]}, "training", "begin with towers"),
        ({"loss": "hinge"}, "training.loss", "sampled_softmax"),
        ({"isolated": {"loss": "hinge"}}, "training.isolated.loss", "bce"),
        ({"isolated": {"width": 9}}, "training.isolated", "heads must divide width"),
    ],
)
def test_a_wrong_choice_is_named_with_what_there_is(training: dict[str, object], named: str, there: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(training=training)
    assert f"Setting {named} " in str(caught.value)
    assert there in str(caught.value)


def test_a_feature_that_is_not_there_stops_before_anything_is_read() -> None:
    def never() -> object:
        raise AssertionError("the events were read")
        yield

    with pytest.raises(SettingError, match=r"training\.features names 'magic'.*popular_7d"):
        train(texts(), never(), TrainingSettings(features=("text", "magic")), STATE, "words")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="twice"):
        train(texts(), never(), TrainingSettings(features=("text", "text")), STATE, "words")  # type: ignore[arg-type]


def test_a_feature_that_was_not_chosen_moves_no_score() -> None:
    bundle = train(texts(), older(), SHORT.model_copy(update={"features": ("text", "popular_7d")}), STATE, "words")
    assert bundle.second is not None
    reranker = Reranker(8)
    reranker.load_state_dict(dict(bundle.second.weights))
    draws = torch.Generator().manual_seed(0)
    scores = torch.randn(5, generator=draws)
    found = torch.randn(5, FEATURES - 1, generator=draws)
    switch = NAMES.index("unmet")  # says which score a candidate gets, whatever was chosen
    found[:, switch] = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0])
    before = reranker(scores, found)
    for place, name in enumerate(NAMES):
        if place == switch:
            continue
        moved = found.clone()
        moved[:, place] += 1
        assert torch.equal(reranker(scores, moved), before) == (name not in ("text", "popular_7d"))
    assert read_mask(TrainingSettings()).tolist() == [1.0] * FEATURES


@pytest.mark.parametrize(("loss", "full"), [("softmax", True), ("sampled_softmax", False), ("auto", False)])
def test_the_loss_says_against_how_many_items(loss: str, full: bool) -> None:
    chosen = TrainingSettings(loss=loss, full_softmax_items=100, sampled_negatives=60)  # type: ignore[arg-type]
    items, _, log_inclusion = Negatives(log(), 300, np.random.default_rng(0), chosen).draw(np.array([1]))
    assert (len(items) == 300) == full
    assert bool(log_inclusion.any()) != full


def test_a_yes_or_no_for_each_item_is_the_sum_over_all_of_them_and_over_a_sample_on_average() -> None:
    towers = TwoTowers(Shape(8, 300, 16, 1, 2, 20), seed=4).train()
    words = torch.randn(300, 8, generator=torch.Generator().manual_seed(5))

    def loss_of(full_up_to: int, seed: int) -> float:
        batch = batch_of(full_up_to, seed)
        with torch.no_grad():
            logits = forward(towers, words, torch.arange(1, 301), batch)
        if full_up_to == 300:
            labels = torch.nn.functional.one_hot(batch.targets, 300).float()
            plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
            torch.testing.assert_close(next_item_loss(logits, batch, "bce"), plain.sum(1).mean())
        return float(next_item_loss(logits, batch, "bce"))

    full = loss_of(300, 0)
    assert np.mean([loss_of(100, seed) for seed in range(40)]) == pytest.approx(full, rel=0.05)


@pytest.mark.parametrize("loss", ["sampled_softmax", "bce"])
def test_towers_learn_with_every_loss(loss: str) -> None:
    chosen = TrainingSettings(width=16, layers=1, epochs=4, finish_epochs=0, stages=("towers",), seed=1)
    changes = {"loss": loss, "sampled_negatives": 40, "learning_rate": 5e-3, "validation_share": 0.05}
    metrics = train(texts(), older(), chosen.model_copy(update=changes), STATE, "words").manifest.metrics
    assert metrics["validation_ndcg_at_10"] > metrics["validation_popularity_ndcg_at_10"]
