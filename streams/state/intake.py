"""From the bytes of a record to an event or an erasure, or to the reason why it holds neither."""

from datetime import UTC, datetime

from streams.codec import UNREADABLE, decode_erasure, decode_event_fields, unreadable
from streams.contracts import Erasure, EventFields, EventType, Record, Rejected
from streams.settings.state import StateSettings
from streams.state.arrivals import Arrival, arrival_of
from streams.state.ownership import Homes
from streams.state.per_event import to_ms
from streams.topics import CLICKSTREAM, ERASURES, REKEYED

Message = tuple[Record, str, Arrival] | tuple[Record, Erasure, None]
"""A record and what it says: the user's id and an arrival, or an erasure."""

_RATING, _SEARCH = EventType.RATING, EventType.SEARCH
_EARLY_MS, _LATE_MS = to_ms(datetime(1991, 1, 1, tzinfo=UTC)), to_ms(datetime(2200, 1, 1, tzinfo=UTC))
"""In between, `EventFields.misfit` has nothing to say of the time, in whatever zone."""


class Intake:
    """Decodes the records of the state worker's sources.

    Args:
        homes: of the users.
    """

    def __init__(self, settings: StateSettings, homes: Homes) -> None:
        self._homes = homes
        self._event_bytes = settings.event_bytes
        self._forward_jump_ms = int(settings.forward_jump_seconds * 1000)
        self._scale = settings.rating_scale
        self._context_field = settings.trend_context

    def decode(self, record: Record) -> Message | Rejected:
        """Return what the record says, or why it says nothing. Raises nothing."""
        value = record.value
        if value is None:
            return Rejected(record, "empty", f"a record of {record.topic} needs a value")
        if len(value) > self._event_bytes:
            detail = f"{len(value)} bytes are more than state.event_bytes, {self._event_bytes}"
            return Rejected(record, "oversize", detail)
        foreign = record.topic != CLICKSTREAM
        try:
            if foreign and record.topic == ERASURES:
                return record, decode_erasure(value), None
            event = decode_event_fields(value)
        except UNREADABLE as error:
            return unreadable(record, error)
        kind = event.event_type
        time_ms = to_ms(event.event_time)
        suspect = (
            foreign
            or event.item_id is None
            or event.value is not None
            or kind is _SEARCH
            or kind is _RATING
            or 0 < record.timestamp_ms < time_ms - self._forward_jump_ms
            or not _EARLY_MS < time_ms < _LATE_MS
        )
        if suspect and (refused := self._refused(record, event, time_ms)):
            return refused
        return record, event.user_id, arrival_of(record, event, time_ms, self._context_field)

    def _refused(self, record: Record, event: EventFields, time_ms: int) -> Rejected | None:
        if misfit := event.misfit():
            return Rejected(record, "invalid", misfit)
        if 0 < record.timestamp_ms < time_ms - self._forward_jump_ms:
            detail = "event_time lies further ahead of the record's CreateTime than state.forward_jump_seconds"
            return Rejected(record, "ahead", detail)
        scale = self._scale
        if event.event_type is _RATING and not scale.low <= (event.value or 0.0) <= scale.high:
            detail = f"value {event.value:g} lies outside the scale {scale.low:g} to {scale.high:g}"
            return Rejected(record, "out_of_scale", detail)
        if record.topic == REKEYED and self._homes.misplaced(record, event.user_id.encode()):
            return Rejected(record, "misplaced", "a record that was passed on lies at its user's place")
        return None
