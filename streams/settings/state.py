"""Settings of the fold from events to user state."""

from typing import Self

from pydantic import Field, model_validator

from streams.settings.section import Section


class RatingScale(Section):
    """The scale of `rating` events."""

    low: float = 1.0
    """The worst rating that a user can give."""
    high: float = 5.0
    """The best rating that a user can give."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self


class StateSettings(Section):
    """What is kept of a user."""

    history_length: int = Field(default=50, ge=1, le=1_000)
    """Newest interactions kept in full, by event time."""
    seen_length: int = Field(default=1_000, ge=0, le=20_000)
    """Older items that are still remembered as seen."""
    rating_scale: RatingScale = RatingScale()
    """The scale of `rating` events; a value outside it is rejected."""
