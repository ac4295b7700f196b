"""SASRec of RecBole at less than half the cost, number for number the same function.

RecBole trains on every prefix of a history and keeps what the last layer says of its last event alone; this is
the same layer worked out for that event only. Beside it, GELU in one step, and dropout whose coin is a byte:
torch's own took a sixth of a training step. `training.py` checks that a model scores as RecBole has it before it
learns.
"""

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_VALUES: Final = 256


class ByteDropout(nn.Module):
    """`nn.Dropout`, in steps of 1/256."""

    def __init__(self, share: float, draws: np.random.Generator) -> None:
        super().__init__()
        self._dropped, self._draws = round(share * _VALUES), draws

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self._dropped:
            return x
        coins = torch.frombuffer(bytearray(self._draws.bytes(x.numel())), dtype=torch.uint8).view(x.shape)
        return x * ((coins >= self._dropped).to(x.dtype) * (_VALUES / (_VALUES - self._dropped)))


def hurry(model: Any, seed: int) -> None:
    """Change a SASRec in place."""
    _drop_by_bytes(model, np.random.default_rng(seed))
    for layer in model.trm_encoder.layer:
        layer.feed_forward.intermediate_act_fn = functional.gelu
    model.forward = lambda items, lengths: _forward(model, items, lengths)


def _drop_by_bytes(module: Any, draws: np.random.Generator) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            setattr(module, name, ByteDropout(child.p, draws))
        else:
            _drop_by_bytes(child, draws)


def _forward(model: Any, items: Tensor, lengths: Tensor) -> Tensor:
    x = model.item_embedding(items) + model.position_embedding(torch.arange(items.shape[1]))
    x = model.dropout(model.LayerNorm(x))
    mask = model.get_attention_mask(items)
    *before, last = model.trm_encoder.layer
    for layer in before:
        x = layer(x, mask)
    line = torch.arange(len(items))
    attended = _attend(last.multi_head_attention, x, x[line, lengths - 1], mask[line, :, lengths - 1])
    found: Tensor = last.feed_forward(attended)
    return found


def _attend(attention: Any, x: Tensor, own: Tensor, mask: Tensor) -> Tensor:
    """Return what one event of each history takes from it, float32 (b, width); `own` is that event."""
    query, key, value = (
        layer(each).view(len(x), -1, attention.num_attention_heads, attention.attention_head_size).transpose(1, 2)
        for layer, each in ((attention.query, own), (attention.key, x), (attention.value, x))
    )
    scores = query @ key.transpose(-1, -2) / attention.sqrt_attention_head_size + mask[:, :, None]
    mixed = attention.attn_dropout(scores.softmax(-1)) @ value
    found: Tensor = attention.LayerNorm(attention.out_dropout(attention.dense(mixed.flatten(1))) + own)
    return found
