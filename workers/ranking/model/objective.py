"""What a training step minimises: how surprised the towers are by the next item among all not seen before."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from workers.ranking.model.batch import Batch
from workers.ranking.model.towers import TwoTowers

MASKED: Final = -1e4


def forward(
    towers: TwoTowers,
    text_vectors: Tensor,
    identities: Tensor,
    batch: Batch,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Return the scores that the towers give before each of the batch's targets, float32 (t, m).

    `MASKED` stands where an item does not compete.

    What the user has seen by then competes with no target, as it is left out of slates; training without
    this mask spends the model on pushing history down.

    Args:
        towers: in training mode.
        text_vectors: float32 (known items, text_dimension), on the device of the towers, as is the rest.
        identities: int64 (known items,).
        batch: of `make_batch`, with at least one target.
        precision: of the matrix products; float32 or bfloat16.
    """
    items, rows = batch.items, batch.rows
    texts = text_vectors if len(items) == len(text_vectors) else text_vectors[items]  # all of them: no copy
    with torch.autocast(text_vectors.device.type, precision, enabled=precision is not torch.float32):
        vectors = towers.item(texts, towers.item.forget_some(identities[items]))
        # `embedding` rather than indexing: its gradient is summed in a fixed order, so equal seeds stay equal.
        users = towers.user(functional.embedding(rows, vectors), batch.signals, batch.gaps)
        logits = users.flatten(0, 1).index_select(0, batch.places) @ vectors.T

    logits = logits.float()
    lines, columns = batch.places // rows.shape[1], batch.places % rows.shape[1]
    seen_from = batch.seen_from.masked_fill(~batch.is_negative, -1).index_select(0, lines)
    masked = (seen_from <= columns.to(seen_from.dtype)[:, None]).scatter_(1, batch.targets[:, None], False)
    # Unknown to autograd: no loss has a gradient here, and two passes over the largest array of a step are saved.
    logits.detach().masked_fill_(masked, MASKED)
    return logits


def next_item_loss(logits: Tensor, batch: Batch, loss: str = "softmax") -> Tensor:
    """Return the mean loss of the batch's targets, a scalar in nats.

    A negative that was drawn stands for all that were not: it counts by one over its chance to be drawn. The
    target is always there and counts once.

    Args:
        loss: the setting `training.loss`: the cross entropy of the next item, or, with `bce`, the sum of those of
            a yes or no for every item.
    """
    if loss == "bce":
        own = logits.gather(1, batch.targets[:, None])
        others = functional.softplus(logits) * torch.exp(-batch.log_inclusion)
        others = others.scatter(1, batch.targets[:, None], functional.softplus(-own))
        return others.sum(1).mean()
    if batch.sampled:
        own = logits.gather(1, batch.targets[:, None])
        logits = (logits - batch.log_inclusion).scatter(1, batch.targets[:, None], own)
    return functional.cross_entropy(logits, batch.targets)
