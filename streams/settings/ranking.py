"""Settings of the index and the ranking pipeline."""

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
