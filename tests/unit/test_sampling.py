"""Laws of the sampled softmax: on average it is the full one, and it is taken where the settings say."""

import numpy as np
import pytest
import torch

from streams.settings.training import TrainingSettings
from workers.ranking.model.batch import Batch, Negatives, make_batch
from workers.ranking.model.objective import forward, next_item_loss
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.windows import cut_windows

ITEMS = 300


def log() -> Sequences:
    draws = np.random.default_rng(0)
    rows = ((ITEMS - 20) * draws.random(4_000) ** 3).astype(np.int64)  # a long tail; the last 20 never occur
    return Sequences.of(draws.integers(80, size=4_000), rows, draws.integers(12, size=4_000), np.arange(4_000))


def settings(exponent: float, full_up_to: int = 100) -> TrainingSettings:
    return TrainingSettings(full_softmax_items=full_up_to, sampled_negatives=60, sampling_exponent=exponent)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_sum_over_a_sample_is_on_average_the_sum_over_all(exponent: float) -> None:
    negatives = Negatives(log(), ITEMS, np.random.default_rng(1), settings(exponent))
    values = np.exp(np.random.default_rng(2).standard_normal(ITEMS))
    sums = []
    for _ in range(4_000):
        items, is_negative, log_inclusion = negatives.draw(np.array([3, 299]))
        kept = is_negative.numpy()
        sums.append((values[items] / np.exp(log_inclusion.numpy()))[kept].sum())
    whole = values[negatives.trained].sum()
    assert abs(np.mean(sums) - whole) < 4 * np.std(sums) / np.sqrt(len(sums))
    assert {3, 299} <= set(items.tolist()), "what histories need is there"
    assert not is_negative[items == 299].any(), "what never occurred is no negative"


def batch_of(full_up_to: int, seed: int, exponent: float = 0.75) -> Batch:
    sequences = log()
    negatives = Negatives(sequences, ITEMS, np.random.default_rng(seed), settings(exponent, full_up_to))
    windows = cut_windows(sequences, 20, np.random.default_rng(3))[:8]
    return make_batch(sequences, windows, negatives, 20)


def loss_of(batch: Batch, *, corrected: bool = True) -> float:
    towers = TwoTowers(Shape(8, ITEMS, 16, 1, 2, 20), seed=4).train()
    texts = torch.randn(ITEMS, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        logits = forward(towers, texts, torch.arange(1, ITEMS + 1), batch)
    if not corrected:
        batch = batch._replace(log_inclusion=torch.zeros_like(batch.log_inclusion))
    return float(next_item_loss(logits, batch))


def test_the_corrected_loss_is_near_the_full_one_and_the_plain_one_is_not() -> None:
    full = loss_of(batch_of(ITEMS, 0))
    sampled = np.mean([loss_of(batch_of(100, seed)) for seed in range(40)])
    plain = np.mean([loss_of(batch_of(100, seed), corrected=False) for seed in range(40)])
    assert sampled == pytest.approx(full, abs=0.1)
    assert plain < full - 0.5


def test_sampling_begins_above_the_setting() -> None:
    assert len(batch_of(ITEMS, 0).items) == ITEMS
    sampled = batch_of(ITEMS - 1, 0)
    assert len(sampled.items) < ITEMS
    assert len(set(sampled.items.tolist())) == len(sampled.items)
    assert (sampled.log_inclusion[sampled.is_negative] < 0).all()
    assert not batch_of(ITEMS, 0).log_inclusion.any()
