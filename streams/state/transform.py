"""The state worker's transform: clicks and erasures in, `user.state.v1` out, one record per changed user and batch."""

from collections.abc import Iterable, Sequence

import msgspec

from streams import metrics
from streams.clock import Clock, from_ms, to_ms, wall_seconds
from streams.codec import decode_erasure, decode_event
from streams.contracts import Erasure, Event, EventType, Output, Record, Rejected
from streams.partitioner import owner
from streams.privacy.pseudonyms import pseudonymise
from streams.reading import read_to_end
from streams.settings import Settings
from streams.state.batch import Batch
from streams.state.feedback import Feedback
from streams.state.ownership import passed_on, stray
from streams.state.fold import Arrival
from streams.state.rules import Rules
from streams.store import PartitionStore
from streams.topics import CLICKSTREAM, ERASURES, REKEYED, USER_STATE

Message = Arrival | tuple[Record, Erasure, int]
"""A record, what it says, and the event's time (milliseconds since the epoch; 0 for an erasure)."""

_RATING = EventType.RATING


class StateTransform:
    """Folds events into per-user state, and forgets users.

    A record whose key is not its `user_id`, or whose partition is not that key's by murmur2, is passed on once to
    the partition that owns the user (`streams/state/ownership.py`), and folded there.

    Args:
        partitions: of every user-keyed topic.
    """

    sources = (CLICKSTREAM, REKEYED, ERASURES)

    def __init__(self, settings: Settings, partitions: int, clock: Clock = wall_seconds) -> None:
        self._settings = settings
        self._partitions = partitions
        self._clock = clock
        self._rules = Rules.of(settings.state)
        self._rename = pseudonymise(settings.privacy)
        self._event_bytes = settings.state.event_bytes
        self._scale = settings.state.rating_scale
        self._store = PartitionStore()

    def decode(self, record: Record) -> Message | Rejected:
        """Return what the record says, or why it says nothing. Raises nothing."""
        value = record.value
        if value is None:
            return Rejected(record, "empty", f"a record of {record.topic} needs a value")
        if len(value) > self._event_bytes:
            detail = f"{len(value)} bytes are more than state.event_bytes, {self._event_bytes}"
            return Rejected(record, "oversize", detail)
        try:
            if record.topic == ERASURES:
                return record, decode_erasure(value), 0
            event = decode_event(value)
        except msgspec.ValidationError as error:
            return Rejected(record, "invalid", str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Rejected(record, "malformed", str(error))
        time_ms = to_ms(event.event_time)
        if time_ms > record.timestamp_ms + self._rules.forward_jump_ms and record.timestamp_ms > 0:
            detail = "event_time lies further ahead of the record's CreateTime than state.forward_jump_seconds"
            return Rejected(record, "ahead", detail)
        scale = self._scale
        if event.event_type is _RATING and not scale.low <= (event.value or 0.0) <= scale.high:
            detail = f"value {event.value:g} lies outside the scale {scale.low:g} to {scale.high:g}"
            return Rejected(record, "out_of_scale", detail)
        if record.topic == REKEYED and stray(record, event.user_id.encode(), self._partitions):
            return Rejected(record, "misplaced", "a record that was passed on lies at its user's partition and key")
        return record, event, time_ms

    def handle(self, batch: Sequence[Message]) -> Iterable[Output]:
        """Fold the batch; return the new state of every user that changed, and what belongs elsewhere."""
        feedback = Feedback(self._partitions) if self._settings.state.feedback else None
        users = Batch(self._store, self._rules, feedback)
        elsewhere: list[Output] = []
        rename, find = self._rename, users.users.get
        for message in batch:
            record, what, _ = message
            partition, user_id = record.partition, what.user_id
            pseudonym = rename(user_id) if rename is not None and record.topic == CLICKSTREAM else None
            if pseudonym is not None:
                user_id = pseudonym
            key = user_id.encode()
            work = find(key) or users.known(user_id, key, partition)
            # Whoever has a state here belongs here; murmur2 is asked about the others only.
            home = work.partition if work is not None else owner(key, self._partitions)
            if home != partition or (record.key != key and pseudonym is None):
                elsewhere.append(passed_on(record, what, key, home, pseudonym))
                continue
            if work is None:
                work = users.unknown(user_id, key, partition)
            if isinstance(what, Event):
                work.arrivals.append(message)
            else:
                users.erase(work, key, what, from_ms(int(self._clock() * 1000)))
        outputs = [*elsewhere, *users.outputs()]
        metrics.STATES.set(len(self._store))
        return outputs

    def tick(self) -> Iterable[Output]:
        """Return nothing: all that this worker writes is caused by a record."""
        return ()

    def assigned(self, partitions: Sequence[int]) -> None:
        """Read the states of these partitions back."""
        self._store.open(partitions)
        read_to_end(self._settings, USER_STATE, partitions, self._store.put)
        metrics.STATES.set(len(self._store))

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget the states of these partitions."""
        self._store.drop(partitions)
        metrics.STATES.set(len(self._store))
