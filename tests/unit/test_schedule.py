"""Training warms up, slows down, stops early, keeps an average, and may calculate in bfloat16."""

import numpy as np
import pytest
import torch

from streams.settings.training import TrainingSettings
from tests.unit.test_towers import STATE, older, texts
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.course import Epoch
from workers.ranking.model.descent import Pace
from workers.ranking.model.learner import Learner
from workers.ranking.model.schedule import FLOOR, WARM_UP_STEPS, average_decay, learning_rate
from workers.ranking.model.training import train

SMALL = TrainingSettings(stages=("towers",), width=16, layers=1, action_epochs=0, neighbours=20, seed=1)


@pytest.mark.parametrize("steps", [1, 7, 100, 5_000])
def test_the_rate_rises_to_its_peak_and_falls_to_a_tenth(steps: int) -> None:
    rates = np.array([learning_rate(step, steps, 2.0) for step in range(steps)])
    warm_up = min(WARM_UP_STEPS, max(steps // 10, 1))
    assert (np.diff(rates[:warm_up]) > 0).all()
    assert (np.diff(rates[warm_up - 1 :]) < 0).all()
    assert rates.max() <= 2.0
    assert learning_rate(steps, steps, 2.0) == pytest.approx(2.0 * FLOOR)
    if steps > 100:
        assert rates[0] <= 2.0 / warm_up
        assert rates.max() > 1.9


def test_the_average_forgets_the_first_steps_quickly_and_later_ones_slowly() -> None:
    decays = [average_decay(step, 0.9) for step in range(200)]
    assert decays == sorted(decays)
    assert decays[0] < 0.1
    assert decays[-1] == 0.9


def test_the_average_is_the_weighted_sum_of_all_weights_so_far() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 1)
    learner = Learner(layer, [(list(layer.parameters()), 0.1)], Pace(20, 0.0), 0.8)
    expected = layer.weight.detach().clone()
    for step in range(20):
        learner.learn(layer(torch.randn(4, 3)).square().mean())
        share = average_decay(step, 0.8)
        expected = share * expected + (1 - share) * layer.weight.detach()
    torch.testing.assert_close(learner.average.weight.detach(), expected)
    assert not torch.equal(expected, layer.weight.detach())


def test_training_stops_when_it_learns_no_more() -> None:
    told: list[Epoch] = []
    patient = SMALL.model_copy(update={"epochs": 60, "finish_epochs": 0, "evaluate_every": 1, "patience": 2})
    bundle = train(texts(), older(), patient, STATE, "words", progress=told.append)
    measured = [epoch.ndcg for epoch in told if epoch.stage == "towers"]
    assert 3 < len(measured) < 60
    found = [value for value in measured if value is not None]
    assert max(found) not in found[-2:], "two measurements without improvement"
    assert bundle.manifest.metrics["validation_ndcg_at_10"] == pytest.approx(max(found), abs=1e-6)


def test_bfloat16_learns_as_well_and_keeps_weights_in_float32() -> None:
    def trained(precision: str) -> Bundle:
        few = SMALL.model_copy(update={"epochs": 6, "finish_epochs": 0, "precision": precision})
        return train(texts(), older(), few, STATE, "words")

    whole, half = trained("float32"), trained("bfloat16")
    for name, weight in whole.weights.items():
        assert half.weights[name].dtype == weight.dtype == torch.float32
    assert not torch.equal(whole.weights["item.text.weight"], half.weights["item.text.weight"])
    ndcg = "validation_ndcg_at_10"
    assert half.manifest.metrics[ndcg] > 0.85 * whole.manifest.metrics[ndcg]
