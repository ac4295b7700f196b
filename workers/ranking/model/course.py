"""Epochs, one after the other: measured, kept, resumed, and stopped when they no longer help."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.learner import Learner


class Epoch(NamedTuple):
    """How training stands after a pass over the data.

    Attributes:
        stage: `towers`, `finish`, or the name of a further scorer.
        number: of this epoch, from 1 and over all stages.
        most: epochs at most, all stages.
        loss: mean of the epoch, nats.
        ndcg: validation NDCG@10 of the averaged weights, or None where this epoch was not measured.
    """

    stage: str
    number: int
    most: int
    loss: float
    ndcg: float | None


class Plan(NamedTuple):
    """How long a stage goes on.

    Attributes:
        epochs: at most.
        evaluate_every: epochs between measurements; 0 never measures.
        patience: measurements without improvement before it stops.
    """

    epochs: int
    evaluate_every: int
    patience: int


class Outcome(NamedTuple):
    """Epochs that were kept, and their NDCG@10; None when nothing was measured."""

    epochs: int
    ndcg: float | None


def run_course(
    stage: str,
    learner: Learner[nn.Module],
    plan: Plan,
    *,
    epoch: Callable[[], float],
    measure: Callable[[], float],
    report: Callable[[int, float, float | None], None],
    draws: Sequence[np.random.Generator],
    checkpoints: Checkpoints,
) -> Outcome:
    """Train until the plan says so and leave in `learner.average` what did best, or came last.

    Args:
        epoch: goes over the data once and returns the mean loss.
        measure: returns NDCG@10 of `learner.average`.
        report: takes epoch, loss and NDCG@10.
        draws: every generator that an epoch draws from; resumed training draws on where it stopped.
    """
    best: dict[str, Tensor] = {}
    state: dict[str, Any] = {"number": 0, "best_epoch": 0, "best_ndcg": -1.0, "misses": 0}
    if found := checkpoints.load(stage):
        tensors, state = found
        learner.restore(tensors)
        best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
        for generator, saved in zip(draws, state["draws"], strict=True):
            generator.bit_generator.state = saved
    while state["number"] < plan.epochs and state["misses"] < plan.patience:
        loss, ndcg = epoch(), None
        number = state["number"] = state["number"] + 1
        if plan.evaluate_every and (number % plan.evaluate_every == 0 or number == plan.epochs):
            ndcg = measure()
            if ndcg > state["best_ndcg"]:
                best = {name: tensor.clone() for name, tensor in learner.average.state_dict().items()}
                state |= {"best_epoch": number, "best_ndcg": ndcg, "misses": 0}
            else:
                state["misses"] += 1
        state["draws"] = [generator.bit_generator.state for generator in draws]
        checkpoints.save(
            stage, learner.tensors() | {f"best.{name}": tensor for name, tensor in best.items()}, state
        )
        report(number, loss, ndcg)
    if not best:
        return Outcome(state["number"], None)
    learner.average.load_state_dict(best)
    return Outcome(state["best_epoch"], state["best_ndcg"])
