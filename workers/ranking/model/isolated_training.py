"""Training of the candidate-isolated attention: after the rest, on item vectors and scores that stand still."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from streams.settings.training import TrainingSettings
from workers.ranking.evaluation.metrics import ndcg_at
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch, Plan, run_course
from workers.ranking.model.descent import Pace
from workers.ranking.model.isolated import IsolatedAttention
from workers.ranking.model.learner import Learner, mean_of
from workers.ranking.model.pools import HELD_OUT, Pool, Pools, asked_events, pool_loss, ranks_in
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers

MEASURED: Final = 2_000
"""Events of held-out users that an epoch is measured on, at most."""
CUT_OFF: Final = 10
_AT_ONCE: Final = 128


class TaughtIsolated(NamedTuple):
    """The scorer, and what was measured on held-out users."""

    scorer: IsolatedAttention
    metrics: dict[str, float]


def teach_isolated(
    pools: Pools,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> TaughtIsolated:
    """Return attention that corrects the score of the model so far.

    An example is the first event of a user with an item, among rivals drawn from the towers' best before it. The
    model so far has learned from all users; those held out here only choose the epoch that is kept. With
    `training.validation_share` 0 nobody is held out and the last epoch is kept.

    Args:
        pools: of the trained model; the scorer learns on the device of their vectors and comes back on the CPU.
        sequences: rows count the known items.
    """
    chosen = settings.isolated
    draws = np.random.default_rng([settings.seed, 4])
    scorer = IsolatedAttention(pools.item_vectors.shape[1], pools.history_length, chosen, settings.seed)
    device = pools.item_vectors.device
    scorer.to(device)
    people = np.unique(sequences.starts)
    held = draws.permutation(people)[: int(HELD_OUT * len(people))] if settings.validation_share else people[:0]
    asked = asked_events(sequences)
    of_held = asked[np.isin(sequences.starts[asked], held)]
    measured = np.sort(draws.permutation(of_held)[:MEASURED])
    whole = pools.all_of(sequences, measured, chosen.candidates) if len(measured) else None
    steps = -(-min(chosen.examples, len(asked) - len(of_held)) // chosen.batch)
    pace = Pace(chosen.epochs * steps, settings.weight_decay)
    learner = Learner(scorer, [(list(scorer.parameters()), chosen.learning_rate)], pace, settings.ema_decay)

    def epoch() -> float:
        # Events of one moment have no order, as for the towers.
        past = sequences.reordered(draws)
        events = asked_events(past)
        events = draws.permutation(events[~np.isin(past.starts[events], held)])[: chosen.examples]
        scorer.train()
        losses = []
        for first in range(0, len(events), chosen.batch):
            part = np.sort(events[first : first + chosen.batch])
            pool = pools.drawn_of(past, part, chosen.negatives, draws)
            if pool is None:
                continue
            loss = pool_loss(pool.base.to(device), _added(scorer, pools, pool), chosen.loss, scorer.bias)
            learner.learn(loss)
            losses.append(loss.detach())
        learner.finish()
        return mean_of(losses)

    def measure() -> float:
        return 0.0 if whole is None else _ndcg(whole, _whole(learner.average, pools, whole), sequences)

    before, most = settings.epochs_before("isolated"), settings.most_epochs
    outcome = run_course(
        "isolated",
        learner,
        Plan(chosen.epochs, 1 if whole is not None else 0, settings.patience),
        epoch=epoch,
        measure=measure,
        report=lambda number, loss, _: progress(Epoch("isolated", before + number, most, loss, None)),
        draws=[draws, scorer.draws],
        checkpoints=checkpoints,
    )
    metrics: dict[str, float] = {"isolated_epochs": outcome.epochs}
    if whole is not None and outcome.ndcg is not None:
        without = _ndcg(whole, torch.zeros_like(whole.base), sequences)
        metrics |= {"isolated_ndcg_at_10": outcome.ndcg, "isolated_base_ndcg_at_10": without}
    return TaughtIsolated(learner.average.cpu(), metrics)


def _added(scorer: IsolatedAttention, pools: Pools, pool: Pool) -> Any:
    vectors = pools.item_vectors
    rows, items = (each.to(vectors.device) for each in (torch.from_numpy(pool.histories.rows), pool.items))
    return scorer(vectors[rows], pool.histories, vectors[items])


@torch.inference_mode()
def _whole(scorer: IsolatedAttention, pools: Pools, pool: Pool) -> torch.Tensor:
    parts = [pool.of(mask) for mask in _masks(pool.events)]
    return torch.cat([_added(scorer, pools, part) for part in parts]).cpu()


def _masks(events: Integers) -> list[torch.Tensor]:
    places = torch.arange(len(events)) // _AT_ONCE
    return [places == number for number in range(int(places[-1]) + 1)]


def _ndcg(pool: Pool, added: torch.Tensor, sequences: Sequences) -> float:
    targets = torch.from_numpy(sequences.events.rows[pool.events])
    return ndcg_at(CUT_OFF, ranks_in(pool.base + added, pool.items, targets).numpy())
