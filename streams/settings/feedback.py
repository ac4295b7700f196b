"""Settings of the feedback app."""

from pydantic import Field

from streams.settings.section import Section


class FeedbackSettings(Section):
    """How what was recommended is joined with what the user did."""

    window_seconds: float = Field(default=86_400.0, gt=0)
    """An action answers a slate for this long after the slate was made, in stream time."""
    patience_seconds: float = Field(default=7 * 86_400.0, ge=0)
    """Slates and actions are two topics; time waits for the one that is behind, for so long at most."""
    open_slates: int = Field(default=8, ge=1, le=100)
    """Newest slates of a user that an action may still answer; an older one is closed and written."""
    kept_actions: int = Field(default=100, ge=1, le=2_000)
    """Newest actions of a user that wait for the end of their slate, or for a slate that comes late."""
    jump_seconds: float = Field(default=86_400.0, gt=0)
    """Most that one record moves stream time on, so that one wrong clock ends no windows."""
    propensity_eta: float = Field(default=1.0, ge=0)
    """Without impressions, position p is looked at with probability (1/p)^eta."""
    batch_records: int = Field(default=500, ge=1)
    """Most records whose results are written at once."""
    gather_seconds: float = Field(default=0.25, ge=0, le=10)
    """Pause after a batch, in which records gather for the next, unless `batch_records` wait already; and how long
    a fetch waits for more than a few."""
    stall_seconds: float = Field(default=60.0, gt=0)
    """The process ends when a partition that has records was not read for so long, so that it starts afresh."""
    contexts_per_item: int = Field(default=16, ge=1, le=100)
    """Most contexts (values of `state.trend_context`) that the trend of an item holds for each partition; where a
    further one comes, the weakest goes."""
    model_versions: int = Field(default=4, ge=1, le=20)
    """Newest model versions that metrics tell apart; all others are `other`."""
