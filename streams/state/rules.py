"""What the fold asks of the settings, in the units that it counts in."""

from typing import NamedTuple, Self

from streams.contracts.users import HASH_BYTES
from streams.settings.state import StateSettings

_DAY_MS = 86_400_000


class Rules(NamedTuple):
    """Bounds of a state.

    Attributes:
        history_length: most interactions of the history.
        horizon_ms: how far an interaction may lie behind stream time; None for any distance.
        seen_length: most entries of the seen column.
        recent_bytes: most bytes of the column of hashes.
        id_bytes: most bytes of the history's item column, and of the seen column.
        session_gap_ms: longest pause within a session.
        forward_jump_ms: how far one event alone may move stream time.
        context_field: of the events' `context`, the value of which is kept; empty for none.
    """

    history_length: int
    horizon_ms: int | None
    seen_length: int
    recent_bytes: int
    id_bytes: int
    session_gap_ms: int
    forward_jump_ms: int
    context_field: str

    @classmethod
    def of(cls, settings: StateSettings) -> Self:
        """Return the rules that the settings say."""
        days = settings.history_horizon_days
        return cls(
            history_length=settings.history_length,
            horizon_ms=None if days is None else int(days * _DAY_MS),
            seen_length=settings.seen_length,
            recent_bytes=settings.duplicate_window * HASH_BYTES,
            id_bytes=settings.id_bytes,
            session_gap_ms=int(settings.session_gap_seconds * 1000),
            forward_jump_ms=int(settings.forward_jump_seconds * 1000),
            context_field=settings.trend_context,
        )
