"""Which events are replayed, which are history of the users who come back, which only train the model."""

from collections.abc import Sequence
from typing import NamedTuple

from streams.contracts import Event
from streams.errors import DataError

DEFAULT_EVENTS = 10_000


class Plan(NamedTuple):
    """A data set cut in two by time.

    Attributes:
        older: what the model is trained on.
        history: those of the older events whose users are in the replay; their state must be there before it.
        replayed: the newest events, in replay order.
    """

    older: Sequence[Event]
    history: Sequence[Event]
    replayed: Sequence[Event]


def plan(events: Sequence[Event], newest: int) -> Plan:
    """Return the plan that replays the `newest` events of `events`, which are in replay order."""
    cut = max(0, len(events) - newest)
    replayed = events[cut:]
    users = {event.user_id for event in replayed}
    return Plan(events[:cut], [event for event in events[:cut] if event.user_id in users], replayed)


def replay_length(asked: int | None, available: int) -> int:
    """Return how many events to replay: those asked for, or the default, at most half of a small data set.

    Raises:
        DataError: what is asked for leaves less than half of the events to train on.
    """
    half = available // 2
    if half == 0:
        raise DataError("The data set has too few events.", "use one with at least some hundred events.")
    if asked is None:
        return min(DEFAULT_EVENTS, half)
    if asked > half:
        raise DataError(
            f"A replay of {asked:,} of {available:,} events leaves less than half to train on.",
            f"ask for at most --events {half}.",
        )
    return asked
