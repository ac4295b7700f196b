"""Settings of `headrace train`: what is learned, from how much, for how long."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from streams.settings.scorers import CrossEncoderTraining, IsolatedTraining
from streams.settings.section import Section

STAGES: Final = ("towers", "reranker", "isolated", "cross_encoder")
"""What may be trained, in this order."""
NOT_LEARNED: Final = frozenset({"device", "directory", "mlflow_uri"})
"""Settings that say nothing of what is learned: they are in no manifest, and training goes on under others."""


class TrainingSettings(Section):
    """How `headrace train` fits the two towers, the re-ranker and, where chosen, further scorers."""

    stages: tuple[Literal["towers", "reranker", "isolated", "cross_encoder"], ...] = ("towers", "reranker")
    """What is trained, in this order and from the towers on. `reranker` corrects the score by evidence about the
    user and each candidate; `isolated` and `cross_encoder` serve where `ranking.added_scorers` names them."""
    loss: Literal["auto", "softmax", "sampled_softmax", "bce"] = "auto"
    """Of the towers. `softmax`: the next item against all known ones; `sampled_softmax`: against a sample,
    corrected for it; `auto`: the first up to `full_softmax_items`, the second beyond; `bce`: a yes or no for every
    item, of all or of a sample as with `auto`."""
    width: int = Field(default=64, ge=8)
    """Numbers in a user or item vector of the model."""
    layers: int = Field(default=2, ge=1)
    """Causal transformer layers of the user tower."""
    heads: int = Field(default=2, ge=1)
    """Attention heads of each layer; must divide `width`."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of activations dropped while training."""
    id_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of id embeddings dropped while training, so that text alone works."""
    epochs: int = Field(default=14, ge=1)
    """Most passes over the data before the held-out end."""
    evaluate_every: int = Field(default=2, ge=1)
    """Epochs between two measurements on the held-out end of the time line."""
    patience: int = Field(default=3, ge=1)
    """Measurements without improvement before training stops."""
    batch_windows: int = Field(default=32, ge=1)
    """History windows in one step."""
    accumulate: int = Field(default=1, ge=1)
    """Steps whose gradients are added up before the weights move; as many times `batch_windows` in less memory."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the layers while training; weights stay float32. Faster only where the machine has bfloat16 units."""
    validation_share: float = Field(default=0.15, ge=0, le=0.5)
    """Newest share of the time line that the towers learn last: it decides when their first stage stops, and the
    re-ranker learns from it. 0 learns from everything for all `epochs`, with no re-ranker."""
    full_softmax_items: int = Field(default=20_000, ge=1)
    """With the losses `auto` and `bce`, up to so many known items each target competes with all of them; beyond,
    with a sample."""
    sampled_negatives: int = Field(default=4_096, ge=1)
    """Items drawn for each step then, and shared by its targets."""
    sampling_exponent: float = Field(default=0.75, ge=0, le=1)
    """An item is drawn in proportion to its events to this power: 0 draws all alike. The loss corrects for it."""
    learning_rate: float = Field(default=8e-3, gt=0)
    """Peak of the cosine schedule."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's."""
    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """Of the moving average of weights that is published."""
    reranker_epochs: int = Field(default=12, ge=1)
    """Passes of the re-ranker over the held-out end, which the towers have not learned then."""
    reranker_learning_rate: float = Field(default=3e-3, gt=0)
    """Peak in those passes."""
    finish_epochs: int = Field(default=16, ge=0)
    """Passes of the towers over all data, the held-out end included, after all that."""
    finish_learning_rate: float = Field(default=8e-3, gt=0)
    """Peak in those passes."""
    features: tuple[str, ...] | None = None
    """What the re-ranker reads, by name; None is all: `NAMES` in `workers/ranking/model/features.py`."""
    reranker_hidden: int = Field(default=64, ge=1)
    """Units of its middle layers."""
    reranker_candidates: int = Field(default=200, ge=2)
    """Best items of the towers among which it learns to choose."""
    action_epochs: int = Field(default=8, ge=0)
    """Passes in which the heads learn what users do with an item they take up (view … rating), after all else; 0
    trains none. What they weigh in a score is `ranking.action_weights`."""
    neighbours: int = Field(default=200, ge=1)
    """Longest list of related items kept for an item, by kind of evidence."""
    neighbour_head: int = Field(default=8_000, ge=1, le=20_000)
    """Most popular items that EASE relates to each other; its matrix has the square of it in numbers."""
    folds: int = Field(default=5, ge=2)
    """Groups of users; each learns from evidence that was counted without it."""
    isolated: IsolatedTraining = IsolatedTraining()
    """Of the stage `isolated`."""
    cross_encoder: CrossEncoderTraining = CrossEncoderTraining()
    """Of the stage `cross_encoder`."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where towers and `isolated` are trained; `auto` takes a GPU when there is one. It rounds otherwise and drops
    out other numbers than a CPU: where machines with and without one shall make equal models of equal seeds, name
    `cpu`. Re-ranker and action heads are small and learn on the CPU."""
    threads: int = Field(default=1, ge=1)
    """Threads of torch while training; the matrices are small, and waiting threads starve the workers beside."""
    seed: int = 0
    """Of everything random in training."""
    mlflow_uri: str = ""
    """Where runs are written down by MLflow (extra `mlflow`): `http://…`, or `sqlite:///…`; empty writes none."""
    directory: str = ""
    """Where bundles are written; empty is the user's data directory."""

    @property
    def reranker(self) -> bool:
        """Return whether the second stage is trained."""
        return "reranker" in self.stages

    @property
    def most_epochs(self) -> int:
        """Return the passes over the data at most, all stages."""
        return self.epochs_before(None)

    def epochs_before(self, stage: Literal["reranker", "finish", "isolated", "cross_encoder"] | None) -> int:
        """Return the epochs, at most, of what is trained before a stage; None counts all."""
        found = self.epochs
        for name, epochs, trained in (
            ("reranker", self.reranker_epochs, self.reranker),
            ("finish", self.finish_epochs, True),
            ("isolated", self.isolated.epochs, "isolated" in self.stages),
            ("cross_encoder", self.cross_encoder.epochs, "cross_encoder" in self.stages),
        ):
            if name == stage:
                break
            found += epochs if trained else 0
        return found

    @model_validator(mode="after")
    def _stages_in_order(self) -> Self:
        if self.stages != tuple(stage for stage in STAGES if stage in self.stages) or "towers" not in self.stages:
            raise ValueError(f"stages begin with towers and stand once each in this order: {', '.join(STAGES)}")
        if {"isolated", "cross_encoder"} & set(self.stages) and not self.reranker:
            raise ValueError(
                "isolated and cross_encoder add to the re-ranker's score: stages must hold reranker too"
            )
        return self

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError("heads must divide width")
        if self.reranker and not self.validation_share:
            raise ValueError("the re-ranker learns from the held-out end, but validation_share is 0")
        return self
