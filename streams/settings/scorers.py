"""Settings of the scorers that may add to the model's score: how they are trained, and how they serve."""

from typing import Literal, Self

from pydantic import Field, model_validator

from streams.settings.section import Section


class IsolatedTraining(Section):
    """A transformer over the history, to which each candidate attends by itself; see `model/isolated.py`."""

    width: int = Field(default=64, ge=8)
    """Numbers of a place in its layers."""
    layers: int = Field(default=2, ge=1)
    """Transformer layers."""
    heads: int = Field(default=2, ge=1)
    """Attention heads of each layer; must divide `width`."""
    history: Literal["bidirectional", "causal"] = "bidirectional"
    """Whether an event of the history attends to all of it, or only to what came before."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of activations dropped while training."""
    loss: Literal["softmax", "bce"] = "softmax"
    """`softmax` picks the next item among the candidates; `bce` says yes or no to each of them."""
    candidates: int = Field(default=200, ge=2)
    """Best items of the towers from which the rivals of the next item are drawn."""
    negatives: int = Field(default=24, ge=1)
    """Rivals drawn for each next item."""
    epochs: int = Field(default=4, ge=1)
    """Passes at most; the one that orders held-out users' candidates best is kept."""
    examples: int = Field(default=30_000, ge=1)
    """Next items that a pass looks at, drawn anew each time."""
    batch: int = Field(default=128, ge=1)
    """Next items in one step."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak of the cosine schedule, after its warm-up."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError("heads must divide width")
        return self
