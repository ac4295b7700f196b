"""What every data set is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streams.contracts import Event, Item
from streams.settings.state import RatingScale


@dataclass(frozen=True)
class Dataset:
    """A catalogue and what its users did.

    Attributes:
        name: as `load_dataset` was given it.
        items: each `item_id` once.
        events: in replay order, which is by `event_time`, ties as in the source.
        rating_scale: the scale of `rating` events.
    """

    name: str
    items: tuple[Item, ...]
    events: Sequence[Event]
    rating_scale: RatingScale


def in_replay_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events by `event_time`; equal times keep their order."""
    return tuple(sorted(events, key=lambda event: event.event_time))
