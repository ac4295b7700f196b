"""What a training step minimises: the cross entropy of the next item among all that the user had not seen."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from workers.ranking.model.batch import Batch
from workers.ranking.model.towers import TwoTowers

_MASKED: Final = -1e4


def next_item_loss(towers: TwoTowers, text_vectors: Tensor, identities: Tensor, batch: Batch) -> Tensor:
    """Return the mean loss of the batch's targets, a scalar in nats.

    What the user has seen by then competes with no target, as it is left out of slates; training without
    this mask spends the model on pushing history down.

    Args:
        towers: in training mode.
        text_vectors: float32 (known items, text_dimension).
        identities: int64 (known items,).
        batch: of `make_batch`, with at least one target.
    """
    items = torch.from_numpy(batch.items)
    vectors = towers.item(text_vectors[items], identities[items])
    rows, signals, gaps = (torch.from_numpy(column) for column in batch.histories[:3])
    # `embedding` rather than indexing: its gradient is summed in a fixed order, so equal seeds stay equal.
    users = towers.user(functional.embedding(rows, vectors), signals, gaps)
    logits = users.flatten(0, 1).index_select(0, batch.places) @ vectors.T

    longest = rows.shape[1]
    masked = batch.seen_from[batch.places // longest] <= (batch.places % longest)[:, None]
    masked |= ~batch.is_negative
    masked[torch.arange(len(batch.targets)), batch.targets] = False
    return functional.cross_entropy(logits.float().masked_fill(masked, _MASKED), batch.targets)
