"""Settings of the scorers that may add to the model's score: how they are trained, and how they serve."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

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


class CrossEncoderTraining(Section):
    """A language model that reads the user's newest liked items and a candidate together; `encoder/cross.py`."""

    model: str = "bundled"
    """`bundled` is all-MiniLM-L6-v2; otherwise a Hugging Face name or a local directory that transformers can load
    for sequence classification."""
    revision: str | None = None
    """Git revision of a Hugging Face model; pin it in production."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where it is trained; `auto` takes a GPU when there is one."""
    item_template: str = "{title}. {categories}"
    """How an item becomes text: of the fields `{title}` and `{categories}`, which ranking workers hold."""
    history_items: int = Field(default=8, ge=1)
    """Newest liked items of a user that it reads."""
    max_tokens: int = Field(default=128, ge=16, le=32_768)
    """Of user and candidate together; a longer history is cut."""
    lora_rank: int = Field(default=8, ge=1)
    """Rank of the adapters, the only weights of the language model's own layers that learn."""
    lora_alpha: int = Field(default=16, ge=1)
    """Their factor is this over the rank."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of their inputs dropped while training."""
    lora_targets: tuple[str, ...] = ()
    """Names of the layers that get adapters; none names all linear ones."""
    loss: Literal["softmax", "bce"] = "softmax"
    """`softmax` picks the next item among the candidates; `bce` says yes or no to each of them."""
    candidates: int = Field(default=20, ge=2)
    """Best items of the model so far from which the rivals of the next item are drawn."""
    negatives: int = Field(default=5, ge=1)
    """Rivals drawn for each next item."""
    epochs: int = Field(default=1, ge=1)
    """Passes over the examples."""
    examples: int = Field(default=2_000, ge=1)
    """Next items that are learned from; all those of few users, because a pass costs seconds an item."""
    batch: int = Field(default=4, ge=1)
    """Next items in one forward pass, each with its rivals."""
    accumulate: int = Field(default=4, ge=1)
    """Passes whose gradients are added up before the weights move."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Peak of the cosine schedule, after its warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's."""

    @field_validator("item_template")
    @classmethod
    def _fields_are_there(cls, template: str) -> str:
        fields = [name for found in re.findall(r"\{([^{}]*)\}", template) for name in found.split("|")]
        if (
            not fields
            or set(fields) - {"title", "categories"}
            or re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", template))
        ):
            raise ValueError("the template is written with {title} and {categories}, and no other braces")
        return template


class CrossEncoderServing(Section):
    """How ranking workers run the cross-encoder of a bundle."""

    model: str = ""
    """Where its base model lies here, if that is not where the bundle says; other weights are refused."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes a GPU when there is one."""
    candidates: int = Field(default=20, ge=1)
    """Best candidates of a user that it reads; the others keep their order below them."""
    token_budget: int = Field(default=4_096, ge=256)
    """Most padded tokens of one forward pass."""
