"""Settings of the fold from events to user state."""

from pathlib import Path
from typing import Literal, Self

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


class StoreSettings(Section):
    """How the state worker keeps the states of RocksDB; unused by `memory`."""

    directory: Path | None = None
    """Takes a directory a worker. Its files may be deleted while no worker runs; they are read back from Kafka.
    Default: the user's data directory."""
    cache_bytes: int = Field(default=128 * 1024 * 1024, ge=1024 * 1024)
    """Most memory for blocks that were read, of all partitions together."""


class StateSettings(Section):
    """What is kept of a user, and what an event may be. Each bound is checked event by event."""

    history_length: int = Field(default=50, ge=1, le=1_000)
    """Newest interactions kept in full, by event time."""
    history_horizon_days: float | None = Field(default=None, gt=0)
    """An interaction that lies further behind the user's newest events leaves the history; its item stays seen."""
    seen_length: int = Field(default=1_000, ge=0, le=20_000)
    """Most older items that are still remembered as seen; when they are more, the oldest quarter goes at once."""
    duplicate_window: int = Field(default=64, ge=1, le=10_000)
    """A repeated event id is known as one while it is among so many newest accepted events of the user."""
    id_bytes: int = Field(default=131_072, ge=8_192, le=393_216)
    """Most bytes of item ids in the history, and again among the seen items; the oldest leave first."""
    session_gap_seconds: float = Field(default=1_800.0, gt=0)
    """A pause of more than this begins a new session, where events carry no session id."""
    forward_jump_seconds: float = Field(default=86_400.0, gt=0)
    """How far one event may run ahead: of its record's CreateTime (otherwise it is rejected), and of the user's
    other events (further, it does not move the user's stream time)."""
    event_bytes: int = Field(default=1_048_576, ge=1_024, le=16_777_216)
    """A larger clickstream record is rejected."""
    rating_scale: RatingScale = RatingScale()
    """The scale of `rating` events; a value outside it is rejected."""
    store: Literal["memory", "rocksdb"] = "memory"
    """Where a worker holds its users: in memory, read back whole at each start; or on the local disk, of which
    only what is newer is read back (needs `pip install 'headrace[rocksdb]'`)."""
    rocksdb: StoreSettings = StoreSettings()
    """Of the store on the local disk."""
    feedback: bool = True
    """Publish `user.actions.v1`, which the feedback app reads."""
    trend_context: str = Field(default="", max_length=512)
    """Name of the field of an event's `context`, such as country or device, by whose values trends are counted as
    well: newcomers are then shown what rises where they are. Choose one whose values many users share. None by
    default. State and ranking workers read it."""
