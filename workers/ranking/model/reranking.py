"""Training of the second stage: it learns to pick the next item among the towers' best."""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.ranking.model.batch import Batch
from workers.ranking.model.evidence import Counted
from workers.ranking.model.features import features
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.objective import MASKED, Forward
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.towers import TwoTowers

TARGETS: Final = 192
"""Of a batch that a step looks at; more cost more than they teach."""
NEGATIVES: Final = 24


class TwoStages(nn.Module):
    """The towers and what corrects them, trained together."""

    def __init__(self, towers: TwoTowers, reranker: Reranker) -> None:
        super().__init__()
        self.towers = towers
        self.reranker = reranker


def rerank_loss(
    stages: TwoStages,
    said: Forward,
    batch: Batch,
    *,
    sequences: Sequences,
    counted: Counted,
    candidates: int,
    draws: np.random.Generator,
) -> Tensor | None:
    """Return the mean loss, a scalar in nats, of some targets that stand among the towers' best; None without any.

    Args:
        said: of the towers, for the same batch.
        candidates: how many of the towers' best are looked at.
    """
    chosen = np.sort(draws.permutation(len(batch.targets))[:TARGETS])
    logits, targets = said.logits[chosen], batch.targets[chosen]
    best = logits.detach().topk(min(candidates, logits.shape[1]), dim=1).indices
    inside = (best == targets[:, None]).any(1)
    if not inside.any():
        return None
    logits, targets, best, events = (
        logits[inside],
        targets[inside],
        best[inside],
        batch.events[chosen[inside.numpy()]],
    )
    drawn = torch.from_numpy(draws.integers(best.shape[1], size=(len(targets), NEGATIVES)))
    places = torch.cat([targets[:, None], best.gather(1, drawn)], dim=1)

    base = logits.gather(1, places)
    found = torch.from_numpy(pair_features(counted, sequences, events, batch.items[places.numpy()], crossed=True))
    final = stages.reranker(base.flatten(), found, said.vectors[places.flatten()]).view(places.shape)
    competes = (places != targets[:, None]) & (base > MASKED / 2)
    competes[:, 0] = True
    # What stands here by its text alone teaches how likely an item is that nobody has met.
    unmet = stages.reranker.by_text(base.flatten(), found).view(places.shape)
    mixed = unmet.where(said.nameless[places], final.detach())
    of_first = torch.zeros(len(targets), dtype=torch.int64)
    known, new = (
        functional.cross_entropy(scores.masked_fill(~competes, MASKED), of_first) for scores in (final, mixed)
    )
    return known + new


def pair_features(
    counted: Counted, sequences: Sequences, events: Integers, items: Integers, *, crossed: bool
) -> Matrix:
    """Return the features, float32 (n · c, …), of candidates `items` (n, c) before each of `events` (n,)."""
    owners = np.repeat(np.arange(len(events)), items.shape[1])
    as_of = counted.trends.as_of(sequences.events.times_ms[np.maximum(events - 1, sequences.starts[events])])
    pairs = counted.pairs(owners, items.ravel(), as_of[owners])
    evidence = counted.crossed if crossed else counted.whole
    return features(
        evidence, len(counted.texts), counted.texts, counted.trails(sequences, events, crossed=crossed), pairs
    )
