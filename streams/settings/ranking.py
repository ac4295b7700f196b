"""Settings of the index, the ranking pipeline and the training of its model."""

from pydantic import Field

from streams.settings.section import Section


class IndexSettings(Section):
    """How vectors are held for search."""

    exact_below: int = Field(default=50_000, ge=0)
    """Up to this many vectors the main tier is searched exactly."""
    fresh_capacity: int = Field(default=4_096, ge=2)
    """Vectors of the small exact tier that takes the updates."""
    recall_target: float = Field(default=0.95, gt=0, le=1)
    """Share of the true nearest that an approximate main tier is calibrated to find."""


class RankingSettings(Section):
    """What a slate is made of."""

    slate_length: int = Field(default=10, ge=1, le=1_000)
    """Items in a slate."""
    learned_candidates: int = Field(default=200, ge=1)
    """Candidates taken from the index around the learned user vector."""
    popular_candidates: int = Field(default=50, ge=0)
    """Candidates taken from the most popular items."""
    trending_candidates: int = Field(default=20, ge=0)
    """Candidates taken from the items that rise most; none while no feedback worker counts them."""
    lookalike_users: int = Field(default=20, ge=0)
    """Nearest users whose newest liked items become candidates."""
    lookalike_items: int = Field(default=10, ge=1)
    """Newest liked items taken from each look-alike user, and published for each user."""
    exclude_seen: bool = True
    """Leave out items that the user has already acted on."""
    valid_seconds: float = Field(default=86_400.0, gt=0)
    """`valid_until` lies this long after `generated_at`."""
    model_name: str = Field(default="headrace", min_length=1, pattern=r"^[a-z0-9._-]+$")
    """The worker serves `<model_name>@champion` of `models.v1`."""


class TrainingSettings(Section):
    """How `headrace train` fits the two towers."""

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
    epochs: int = Field(default=20, ge=1)
    """Most passes over the data."""
    evaluate_every: int = Field(default=2, ge=1)
    """Epochs between two measurements on the newest 5 % of the time line."""
    patience: int = Field(default=3, ge=1)
    """Measurements without improvement before training stops."""
    batch_windows: int = Field(default=32, ge=1)
    """History windows in one step."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of the cosine schedule."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's."""
    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """Of the moving average of weights that is published."""
    threads: int = Field(default=1, ge=1)
    """Threads of torch while training; the matrices are small, and waiting threads starve the workers beside."""
    seed: int = 0
    """Of everything random in training."""
    directory: str = ""
    """Where bundles are written; empty is the user's data directory."""
