"""Training of the second stage: it learns to pick the next item among the towers' best."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streams.settings.training import TrainingSettings
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.chosen_features import read_mask
from workers.ranking.model.course import Epoch, Plan, run_course
from workers.ranking.model.descent import Pace
from workers.ranking.model.learner import Learner
from workers.ranking.model.objective import MASKED
from workers.ranking.model.passes import LEAST_STEPS
from workers.ranking.model.reranker import FEATURES, Reranker
from workers.ranking.model.reranker_examples import Choices, Examples

RIVALS: Final = 48
"""Drawn of the candidates in a step; all 200 gave as much and took five times as long."""
_BATCH: Final = 128
_SAMPLE: Final = 512


def teach_reranker(
    reranker: Reranker,
    examples: Examples,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> Reranker:
    """Return the average of the weights after `settings.reranker_epochs`; the same as before without examples."""
    count = len(examples.known.own)
    if not count:
        reranker.eval()
        return reranker
    draws = np.random.default_rng([settings.seed, 6])
    reranker.scale_to(_sample_of(examples.known, draws))
    reranker.feature_scale.mul_(read_mask(settings))
    steps = max(-(-count // _BATCH), min(LEAST_STEPS, count))
    pace = Pace(settings.reranker_epochs * steps, settings.weight_decay)
    groups = [(list(reranker.parameters()), settings.reranker_learning_rate)]
    learner: Learner[nn.Module] = Learner(reranker, groups, pace, settings.ema_decay)

    def epoch() -> float:
        reranker.train()
        losses = []
        orders = (draws.permutation(len(choices.own)) for choices in examples)
        for known, new in zip(*(np.array_split(order, steps) for order in orders), strict=True):
            loss = choice_loss(reranker, examples.known.part(known), draws)
            losses.append(loss.item())
            learner.learn(loss + text_loss(reranker, examples.new.part(new), draws) if len(new) else loss)
        learner.finish()
        return float(np.mean(losses))

    before, most = settings.epochs_before("reranker"), settings.most_epochs
    run_course(
        "reranker",
        learner,
        Plan(settings.reranker_epochs, 0, 1),
        epoch=epoch,
        measure=lambda: 0.0,
        report=lambda number, loss, _: progress(Epoch("reranker", before + number, most, loss, None)),
        draws=[draws],
        checkpoints=checkpoints,
    )
    average: Reranker = learner.average
    return average


def choice_loss(reranker: Reranker, choices: Choices, draws: np.random.Generator) -> Tensor:
    """Return the mean loss, a scalar in nats, of the items that came next among drawn rivals."""
    base, found, _, competes = _drawn(choices, draws)
    return _first_of(reranker(base.flatten(), found.flatten(0, 1)).view(base.shape), competes)


def text_loss(reranker: Reranker, choices: Choices, draws: np.random.Generator) -> Tensor:
    """Return the same where some items have no name: only `by_text` learns, how likely is what nobody has met."""
    base, found, nameless, competes = _drawn(choices, draws)
    with torch.no_grad():
        named = reranker(base.flatten(), found.flatten(0, 1)).view(base.shape)
    by_text = reranker.by_text(base.flatten(), found.flatten(0, 1)).view(base.shape)
    return _first_of(by_text.where(nameless, named), competes)


def _drawn(choices: Choices, draws: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scores, features and names of what came next, first of each line, and of rivals; and who competes."""
    count, width = choices.base.shape
    rivals = torch.from_numpy(draws.integers(width, size=(count, RIVALS)))
    places = torch.cat([choices.own[:, None], rivals], dim=1)
    lines = torch.arange(count)[:, None]
    base, found, nameless = (column[lines, places] for column in choices[1:])
    competes = (places != choices.own[:, None]) & (base > MASKED / 2)
    competes[:, 0] = True
    return base, found, nameless, competes


def _first_of(scores: Tensor, competes: Tensor) -> Tensor:
    first = torch.zeros(len(scores), dtype=torch.int64)
    return functional.cross_entropy(scores.masked_fill(~competes, MASKED), first)


def _sample_of(choices: Choices, draws: np.random.Generator) -> Tensor:
    """Return features of some histories' candidates, for mean and spread, float32 (s, FEATURES)."""
    some = choices.part(draws.permutation(len(choices.own))[:_SAMPLE])
    numbers = torch.cat([some.found, some.base[..., None]], dim=2).view(-1, FEATURES)
    return numbers[some.base.flatten() > MASKED / 2]
