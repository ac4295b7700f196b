"""The two towers: items and users become vectors whose inner product is an item's score.

The shape is SASRec's (Kang and McAuley, ICDM 2018) with text in the item tower, a learned bias by
distance instead of positions, and the time between events. Sizes and choices were measured on MovieLens-100K.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.ranking.model.dropout import ByteDropout
from workers.ranking.model.signals import GAPS, SIGNALS

UNKNOWN = 0
"""The identity of an item that the model was not trained on; the k-th known item has identity k + 1."""


class Shape(NamedTuple):
    """Sizes of the towers; a bundle's weights fit exactly one shape.

    Attributes:
        text_dimension: numbers in an item's text vector.
        known_items: items with an embedding of their own.
        width: numbers in a user or item vector.
        layers: causal layers of the user tower.
        heads: attention heads of a layer; divides `width`.
        history_length: most events of a history.
    """

    text_dimension: int
    known_items: int
    width: int
    layers: int
    heads: int
    history_length: int


class ItemTower(nn.Module):
    """LayerNorm(W · (centred, scaled text vector) + identity); an unknown item is its text alone.

    Centring matters: text vectors of one language model share a large mean, and the mean of a user's text
    vectors ranks at NDCG@10 .041 with it taken off and .015 without.
    """

    def __init__(self, shape: Shape, id_dropout: float, draws: np.random.Generator) -> None:
        super().__init__()
        self.text_mean: Tensor
        self.text_scale: Tensor
        self.register_buffer("text_mean", torch.zeros(shape.text_dimension))
        self.register_buffer("text_scale", torch.ones(()))
        self.text = nn.Linear(shape.text_dimension, shape.width)
        self.identity = nn.Embedding(shape.known_items + 1, shape.width, padding_idx=UNKNOWN)
        self.norm = nn.LayerNorm(shape.width)
        self.id_dropout = ByteDropout(id_dropout, draws)

    def centre_on(self, text_vectors: Tensor) -> None:
        """Take mean and spread from the catalogue's text vectors, float32 (n, text_dimension)."""
        self.text_mean.copy_(text_vectors.mean(0))
        spread = (text_vectors - self.text_mean).square().mean().sqrt()
        self.text_scale.copy_(1 / spread.clamp(min=1e-6))

    def forward(self, text_vectors: Tensor, identities: Tensor) -> Tensor:
        """Return float32 (n, width) of text vectors (n, text_dimension) and identities int64 (n,)."""
        text = self.text((text_vectors - self.text_mean) * self.text_scale)
        vectors: Tensor = self.norm(text + self.identity(identities))
        return vectors

    def forget_some(self, identities: Tensor) -> Tensor:
        """Return the identities with some made `UNKNOWN`, in training: then the text must also do alone."""
        if not self.training:
            return identities
        return identities.where(self.id_dropout.keep(identities.shape, identities.device), UNKNOWN)


class CausalLayer(nn.Module):
    """One pre-norm transformer layer in which an event sees itself and what came before."""

    def __init__(self, shape: Shape, dropout: ByteDropout) -> None:
        super().__init__()
        width, self.heads = shape.width, shape.heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.distance_bias = nn.Embedding(shape.history_length, shape.heads)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = nn.Linear(width, 4 * width)
        self.feed_out = nn.Linear(4 * width, width)
        self.dropout = dropout

    def forward(self, x: Tensor, distances: Tensor, future: Tensor) -> Tensor:
        """Return (b, l, width) of `x` (b, l, width); `distances` int64 and `future` bool are (l, l)."""
        drop = self.dropout
        x = x + drop(self.attention_out(self._attend(self.attention_norm(x), distances, future)))
        return x + drop(self.feed_out(drop(functional.gelu(self.feed_in(self.feed_norm(x))))))

    def newest(self, x: Tensor, places: Tensor) -> Tensor:
        """Return what `forward` gives at one place of each line, (b, width), for little: evaluation only.

        One query a line reads keys and values without their being written out: its product with a key is one of
        the query, taken through the key's weights, with `x`; the key's bias moves all of a line alike.

        Args:
            x: (b, l, width).
            places: int64 (b,); what lies behind them is not read.
        """
        width = x.shape[-1]
        normed, own = self.attention_norm(x), x[torch.arange(len(x), device=x.device), places]
        of_query, of_key, of_value = self.query_key_value.weight.view(3, self.heads, -1, width)
        query_bias, _, value_bias = self.query_key_value.bias.view(3, self.heads, -1)
        query = torch.einsum("bw,hdw->bhd", self.attention_norm(own), of_query) + query_bias
        distances = places[:, None] - torch.arange(x.shape[1], device=x.device)
        bias = self.distance_bias(distances.clamp(min=0)).masked_fill((distances < 0)[..., None], -torch.inf)
        scores = torch.einsum("bhd,hdw->bhw", query, of_key) @ normed.transpose(1, 2)
        shares = (scores / math.sqrt(query.shape[-1]) + bias.transpose(1, 2)).softmax(-1)
        mixed = torch.einsum("bhw,hdw->bhd", shares @ normed, of_value) + value_bias
        own = own + self.attention_out(mixed.flatten(1))
        fed: Tensor = own + self.feed_out(functional.gelu(self.feed_in(self.feed_norm(own))))
        return fed

    def _attend(self, x: Tensor, distances: Tensor, future: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = self.query_key_value(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        bias = self.distance_bias(distances).permute(2, 0, 1).masked_fill(future, -torch.inf)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.heads) + bias
        mixed = self.dropout(scores.softmax(-1)) @ value
        return mixed.transpose(1, 2).reshape(batch, length, width)


class UserTower(nn.Module):
    """Reads a history of (item, signal, gap) and says after each event what the user wants next."""

    def __init__(self, shape: Shape, dropout: float, draws: np.random.Generator) -> None:
        super().__init__()
        self.signal = nn.Embedding(SIGNALS, shape.width)
        self.gap = nn.Embedding(GAPS, shape.width)
        self.dropout = ByteDropout(dropout, draws)
        self.layers = nn.ModuleList(CausalLayer(shape, self.dropout) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, items: Tensor, signals: Tensor, gaps: Tensor) -> Tensor:
        """Return the user after each event, scaled so that `user · item` is the score itself.

        Args:
            items: float32 (b, l, width), item vectors of the histories; what lies behind a history's
                end reaches nothing before it.
            signals: int64 (b, l).
            gaps: int64 (b, l).
        """
        return self._scaled(self._read(items, signals, gaps, self.layers))

    def newest(self, items: Tensor, signals: Tensor, gaps: Tensor, lengths: Tensor) -> Tensor:
        """Return the user after the newest event, float32 (b, width), as `forward` says to 1e-5: in evaluation.

        Args:
            items: float32 (b, l, width), as of `forward`, as are `signals` and `gaps`; l >= 1.
            lengths: int64 (b,), events of each history; an empty one is read like one of one event.
        """
        *others, last = self.layers
        places = (lengths - 1).clamp(min=0)
        return self._scaled(last.newest(self._read(items, signals, gaps, others), places))

    def _read(self, items: Tensor, signals: Tensor, gaps: Tensor, layers: Iterable[nn.Module]) -> Tensor:
        place = torch.arange(items.shape[1], device=items.device)
        distances = (place[:, None] - place).clamp(min=0)
        future = place[:, None] < place
        x: Tensor = self.dropout(items + self.signal(signals) + self.gap(gaps))
        for layer in layers:
            x = layer(x, distances, future)
        return x

    def _scaled(self, x: Tensor) -> Tensor:
        users: Tensor = self.norm(x) * (self.log_scale.exp() / math.sqrt(x.shape[-1]))
        return users


class TwoTowers(nn.Module):
    """Both towers. Equal seeds give equal weights and equal dropout.

    Attributes:
        draws: of the dropout.
    """

    def __init__(self, shape: Shape, dropout: float = 0.0, id_dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.draws = np.random.default_rng(seed)
        self.shape = shape
        self.item = ItemTower(shape, id_dropout, self.draws)
        self.user = UserTower(shape, dropout, self.draws)
        if self.user.log_scale.device.type != "meta":
            self._start_from(torch.Generator().manual_seed(seed))

    @classmethod
    def holding(cls, weights: Mapping[str, Tensor], shape: Shape) -> Self:
        """Return towers that hold these tensors themselves, which may be mapped from disk, and no copy.

        Raises:
            RuntimeError: the weights do not fit the shape.
        """
        with torch.device("meta"):
            towers = cls(shape)
        towers.load_state_dict(dict(weights), assign=True)
        return towers

    def _start_from(self, generator: torch.Generator) -> None:
        for name, weight in self.named_parameters():
            if "norm" in name or name.endswith("log_scale"):
                continue
            if name.endswith("bias") or "distance_bias" in name:
                nn.init.zeros_(weight)
            elif name == "item.identity.weight":
                nn.init.normal_(weight, std=0.5, generator=generator)
            elif name in ("user.signal.weight", "user.gap.weight"):
                nn.init.normal_(weight, std=0.05, generator=generator)
            elif name == "item.text.weight":
                nn.init.normal_(weight, std=0.02, generator=generator)
            else:
                nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        with torch.no_grad():
            self.item.identity.weight[UNKNOWN] = 0
