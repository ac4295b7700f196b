"""`fold(state, event)`: pure, total, and blind to records that it has seen before.

- Order: the history stands in event time; equal times keep the order of arrival. A late event lands where it
  belongs, or among the seen items when it is older than a full history.
- Repeats: a record at or before the offset applied for its topic changes nothing (a replay), nor does an
  event id that the history still holds (a producer's retry).
- `impression` and `search` are counted and leave no interaction: they say what was offered or wanted, not
  what was chosen.
"""

from bisect import bisect_right
from hashlib import blake2b

import msgspec

from streams.clock import to_ms
from streams.codec import SCHEMA_VERSION
from streams.contracts import Event, EventType, Interaction, Source, UserState
from streams.settings.state import StateSettings

CAUSES = 20
"""Most event ids that one version of a state names as its cause."""

TYPE_CODES = {kind: code for code, kind in enumerate(EventType)}
"""`EventType` -> the number that `Interaction.event_type` holds."""

_NO_INTERACTION = frozenset({EventType.IMPRESSION, EventType.SEARCH})


def fold(state: UserState | None, event: Event, source: Source, settings: StateSettings) -> UserState:
    """Return the state after `event`; the same object when the event is a repeat.

    Args:
        state: None for a user of whom nothing is known.
        source: the record that carried the event.
    """
    if state is None:
        state = UserState(SCHEMA_VERSION, event.user_id, (), (), 0, 0, None, (), source, {})
    elif source.offset <= state.applied.get(source.topic, -1):
        return state
    event_hash = hash_of(event.event_id)
    if any(past.event_hash == event_hash for past in state.history):
        return state
    event_time_ms = to_ms(event.event_time)
    history, seen = state.history, state.seen
    if event.item_id is not None and event.event_type not in _NO_INTERACTION:
        kind = TYPE_CODES[event.event_type]
        now = Interaction(event.item_id, event_time_ms, kind, event.value, event_hash)
        history, seen = _remember(history, seen, now, settings)
    return msgspec.structs.replace(
        state,
        history=history,
        seen=seen,
        event_count=state.event_count + 1,
        last_event_time_ms=max(state.last_event_time_ms, event_time_ms),
        last_query=event.query if event.event_type is EventType.SEARCH else state.last_query,
        caused_by=(*state.caused_by, event.event_id)[-CAUSES:],
        source=source,
        applied={**state.applied, source.topic: source.offset},
    )


def next_version(state: UserState) -> UserState:
    """Return `state` with no causes, ready for the events of the next batch."""
    return msgspec.structs.replace(state, caused_by=())


def hash_of(event_id: str) -> int:
    """Return the signed 64-bit number that stands for an event id."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little", signed=True)


def _remember(
    history: tuple[Interaction, ...],
    seen: tuple[str, ...],
    now: Interaction,
    settings: StateSettings,
) -> tuple[tuple[Interaction, ...], tuple[str, ...]]:
    at = bisect_right(history, now.event_time_ms, key=lambda past: past.event_time_ms)
    longer = (*history[:at], now, *history[at:])
    kept = longer[-settings.history_length :]
    fallen = longer[: -settings.history_length]
    if not fallen:
        return kept, seen
    newest_last = dict.fromkeys(seen)
    for past in fallen:
        newest_last.pop(past.item_id, None)
        newest_last[past.item_id] = None
    return kept, tuple(newest_last)[max(0, len(newest_last) - settings.seen_length) :]
