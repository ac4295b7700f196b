"""An event on its way into a state: no more of it than is needed from there on."""

from typing import Final

from streams.contexts import context_in
from streams.contracts import EventFields, EventType, Record
from streams.state.per_event import mark_of
from streams.topics import CLICKSTREAM

Arrival = tuple[
    str, int, str | None, int, float | None, str | None, int, int, int, str | None, str, int, str | None
]
"""What the fold and the feedback app need of an event, so that record and event can go at once.

First the fields of a `UserAction`, in their order; then the event's id, the mark of
its session (1 to 65,535, equal for equal ids; 0 for none), and the words of a search. A tuple, because it is made,
taken apart and cut for every event.
"""

ITEM_ID: Final = 2
TIME_MS: Final = 3
TOPIC: Final = 6
CREATE_TIME_MS: Final = 8
CONTEXT: Final = 9
EVENT_ID: Final = 10
"""Where these stand in an `Arrival`."""

_RATING, _SEARCH = EventType.RATING, EventType.SEARCH


def arrival_of(record: Record, event: EventFields, time_ms: int, context_field: str) -> Arrival:
    """Return what the fold needs of an event.

    Args:
        time_ms: the event's time, milliseconds since the epoch.
        context_field: of `Rules`.
    """
    kind, session_id = event.event_type, event.session_id
    return (
        event.user_id,
        kind.code,
        event.item_id,
        time_ms,
        event.value if kind is _RATING else None,
        event.recommendation_id,
        0 if record.topic == CLICKSTREAM else 1,
        record.offset,
        record.timestamp_ms,
        context_in(event.context, context_field) if context_field else None,
        event.event_id,
        0 if session_id is None else mark_of(session_id),
        event.query if kind is _SEARCH else None,
    )
