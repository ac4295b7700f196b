"""What a further scorer learns from: the next item among the best candidates of the model so far."""

import copy
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workers.ranking.model.evidence import Counted
from workers.ranking.model.histories import HistoryBatch, cut_histories
from workers.ranking.model.objective import MASKED
from workers.ranking.model.pair_features import pair_features
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.towers import TwoTowers

HELD_OUT: Final = 0.1
"""Of the users, where a part of the data is held out at all."""
_SCORES_AT_ONCE: Final = 8_000_000
_MOST_AT_ONCE: Final = 256
"""Histories; the evidence of each is looked up for all its candidates at once."""


class Pool(NamedTuple):
    """Candidates of n histories, with the score of the model so far.

    Attributes:
        events: int64 (n,), the events that came next, of `Sequences`.
        histories: what the users had done before; rows are numbers of known items.
        items: int64 (n, c), numbers of known items.
        base: float32 (n, c), scores; `MASKED` where an item does not compete.
    """

    events: Integers
    histories: HistoryBatch
    items: Tensor
    base: Tensor

    def of(self, chosen: Tensor) -> "Pool":
        """Return the histories where `chosen`, bool (n,), is true."""
        mask = chosen.numpy()
        histories = HistoryBatch(*(column[mask] for column in self.histories))
        return Pool(self.events[mask], histories, self.items[chosen], self.base[chosen])


class Pools:
    """Finds the candidates of histories as the trained model ranks them; it is only read.

    All items are compared on the device of their vectors; what is found is on the CPU, where evidence is.

    Args:
        item_vectors: float32 (known items, width), of the towers in evaluation mode.
        reranker: None where the towers' score is the model's.
        counted: what the re-ranker reads.
        candidates: best items of the towers that the re-ranker puts in order.
    """

    def __init__(
        self,
        towers: TwoTowers,
        item_vectors: Tensor,
        reranker: Reranker | None,
        counted: Counted | None,
        candidates: int,
    ) -> None:
        self.item_vectors, self.history_length = item_vectors, towers.shape.history_length
        self._user = copy.deepcopy(towers.user).to(item_vectors.device).eval()
        self._reranker, self._counted = reranker, counted
        self._candidates = min(candidates, len(item_vectors))

    @torch.no_grad()
    def all_of(self, sequences: Sequences, events: Integers, most: int) -> Pool:
        """Return the `most` best candidates by the whole model, best first."""
        parts = [self._towers_best(sequences, part) for part in self._parts(events)]
        pools = [pool._replace(base=self._base(sequences, pool)) for pool in parts]
        cut = []
        for pool in pools:
            base, places = pool.base.topk(min(most, pool.base.shape[1]), dim=1)
            cut.append(pool._replace(items=pool.items.gather(1, places), base=base))
        return _joined(cut, cut_histories(sequences.events, sequences.starts[events], events, self.history_length))

    @torch.no_grad()
    def drawn_of(
        self, sequences: Sequences, events: Integers, negatives: int, draws: np.random.Generator
    ) -> Pool | None:
        """Return the next items, first of each line, and rivals drawn from the towers' best; None without any.

        An event whose item is not among the towers' best teaches nothing and is left out.
        """
        pool = _joined(
            [self._towers_best(sequences, part) for part in self._parts(events)],
            cut_histories(sequences.events, sequences.starts[events], events, self.history_length),
        )
        found = drawn(pool, torch.from_numpy(sequences.events.rows[events]), negatives, draws)
        return None if found is None else found._replace(base=self._base(sequences, found))

    def _parts(self, events: Integers) -> list[Integers]:
        size = max(1, min(_MOST_AT_ONCE, _SCORES_AT_ONCE // len(self.item_vectors)))
        return [events[first : first + size] for first in range(0, len(events), size)] or [events]

    def _towers_best(self, sequences: Sequences, events: Integers) -> Pool:
        starts = sequences.starts[events]
        histories = cut_histories(sequences.events, starts, events, self.history_length)
        device = self.item_vectors.device
        rows, signals, gaps, lengths = (torch.from_numpy(column).to(device) for column in histories)
        users = self._user.newest(self.item_vectors[rows], signals, gaps, lengths)
        scores = users @ self.item_vectors.T
        lines, seen = (torch.from_numpy(column).to(device) for column in _seen_before(sequences, events))
        scores[lines, seen] = MASKED
        best = scores.topk(self._candidates, dim=1)
        return Pool(events, histories, best.indices.cpu(), best.values.cpu())

    def _base(self, sequences: Sequences, pool: Pool) -> Tensor:
        """Return the scores of the whole model; evidence is counted without the user's own fold."""
        if self._reranker is None or self._counted is None:
            return pool.base
        found = pair_features(self._counted, sequences, pool.events, pool.items.numpy(), crossed=True)
        final = self._reranker.eval()(pool.base.flatten(), torch.from_numpy(found))
        return final.view(pool.base.shape).masked_fill(pool.base <= MASKED / 2, MASKED)


def drawn(pool: Pool, targets: Tensor, negatives: int, draws: np.random.Generator) -> Pool | None:
    """Return each target that is in its pool, first, and rivals drawn from there; None where no target is.

    Args:
        targets: int64 (n,).
        negatives: rivals of each; one that was drawn twice, or is the target, competes once.
    """
    is_target = pool.items == targets[:, None]
    inside = is_target.any(1)
    if not inside.any():
        return None
    pool, is_target = pool.of(inside), is_target[inside]
    own = is_target.int().argmax(1, keepdim=True)
    others = torch.from_numpy(np.sort(draws.integers(pool.items.shape[1], size=(len(own), negatives)), axis=1))
    twice = torch.zeros_like(others, dtype=torch.bool)
    twice[:, 1:] = others[:, 1:] == others[:, :-1]
    base = pool.base.gather(1, others).masked_fill(twice | (others == own), MASKED)
    return pool._replace(
        items=torch.cat([pool.items.gather(1, own), pool.items.gather(1, others)], dim=1),
        base=torch.cat([pool.base.gather(1, own), base], dim=1),
    )


def pool_loss(base: Tensor, added: Tensor, loss: str, bias: Tensor) -> Tensor:
    """Return the mean loss, a scalar in nats, of the first candidate of each line.

    Args:
        base: float32 (n, c), of `drawn`; `MASKED` where an item does not compete.
        added: float32 (n, c), what the scorer adds.
        loss: `softmax`, or `bce`: a yes or no for each candidate.
        bias: of the yes or no.
    """
    final = base + added
    competes = base > MASKED / 2
    if loss == "softmax":
        target = torch.zeros(len(final), dtype=torch.int64, device=final.device)
        return functional.cross_entropy(final.masked_fill(~competes, MASKED), target)
    # Scores of a softmax have a height of their own in each line, which says nothing of yes or no.
    odds = final - base.logsumexp(1, keepdim=True) + bias
    labels = torch.zeros_like(odds)
    labels[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(odds[competes], labels[competes])


def asked_events(sequences: Sequences) -> Integers:
    """Return the events that can be foretold: a user's first with an item, after others."""
    return np.flatnonzero(sequences.is_first & (sequences.starts < np.arange(len(sequences.starts))))


def ranks_in(scores: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Return each target's rank among its candidates, float64 (n,); infinite where it is none of them."""
    own = items == targets[:, None]
    inside = own.any(1)
    score = scores.masked_fill(~own, -torch.inf).amax(1, keepdim=True)
    ranks = 1.0 + (scores > score).sum(1) + ((scores == score) & ~own).sum(1) / 2
    return torch.where(inside, ranks.double(), torch.inf)


def _seen_before(sequences: Sequences, events: Integers) -> tuple[Integers, Integers]:
    """Return each place of `events` with each row that its user has seen by then, int64 (s,) twice."""
    counts = events - sequences.starts[events]
    lines = np.repeat(np.arange(len(events)), counts)
    ends = np.cumsum(counts)
    return lines, sequences.events.rows[np.arange(len(lines)) + (events - ends)[lines]]


def _joined(pools: list[Pool], histories: HistoryBatch) -> Pool:
    events = np.concatenate([pool.events for pool in pools])
    items, base = (
        torch.cat(columns) for columns in zip(*((pool.items, pool.base) for pool in pools), strict=True)
    )
    return Pool(events, histories, items, base)
