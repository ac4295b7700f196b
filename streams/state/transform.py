"""The state worker's transform: clicks in, `user.state.v1` out, one record per changed user and batch."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from streams import metrics
from streams.codec import decode_event, decode_user_state, encode_msgpack
from streams.contracts import Event, EventType, Output, Record, Rejected, Source, UserState
from streams.partitioner import owner
from streams.settings import Settings
from streams.state.fold import fold, next_version
from streams.store import MemoryStore, PartitionStore, ends_of
from streams.topics import CLICKSTREAM, REKEYED, USER_STATE
from streams.transform import Changelog, Ends, changelog

_ORIGIN = "headrace.origin"


class Accepted(NamedTuple):
    """An event and the record that carried it."""

    record: Record
    event: Event


class StateTransform:
    """Folds events into per-user state.

    A record whose key is not its `user_id`, or whose partition is not that key's by murmur2, is passed on once,
    untouched, to `clickstream.rekeyed.v1` on the partition that owns the user, and folded there.

    Args:
        partitions: of every user-keyed topic.
        store: of the states; None keeps them in memory.
    """

    sources = (CLICKSTREAM, REKEYED)

    def __init__(self, settings: Settings, partitions: int, store: PartitionStore | None = None) -> None:
        self._settings = settings
        self._partitions = partitions
        self._store = MemoryStore() if store is None else store

    def decode(self, record: Record) -> Accepted | Rejected:
        """Return the event, or why the record holds none."""
        if record.value is None:
            return Rejected(record, "empty", "a clickstream record needs a value")
        try:
            event = decode_event(record.value)
        except msgspec.ValidationError as error:
            return Rejected(record, "invalid", str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Rejected(record, "malformed", str(error))
        scale = self._settings.state.rating_scale
        rating = event.value if event.event_type is EventType.RATING else None
        if rating is not None and not scale.low <= rating <= scale.high:
            detail = f"value {rating:g} lies outside the scale {scale.low:g} to {scale.high:g}"
            return Rejected(record, "out_of_scale", detail)
        return Accepted(record, event)

    def handle(self, batch: Sequence[Accepted]) -> Iterable[Output]:
        """Fold the batch; return the new state of every user that changed, and what belongs elsewhere."""
        outputs: list[Output] = []
        before: dict[tuple[int, bytes], UserState | None] = {}
        after: dict[tuple[int, bytes], UserState | None] = {}
        for record, event in batch:
            key = event.user_id.encode()
            home = owner(key, self._partitions)
            if record.topic == CLICKSTREAM and (home != record.partition or record.key != key):
                outputs.append(_rekeyed(record, key, home))
                continue
            place = (record.partition, key)
            if place not in after:
                stored = self._store.get(*place)
                state = next_version(decode_user_state(stored)) if stored is not None else None
                before[place] = after[place] = state
            source = Source(
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                create_time_ms=record.timestamp_ms,
            )
            folded = fold(after[place], event, source, self._settings.state)
            if folded is after[place]:
                metrics.DUPLICATES.inc()
            after[place] = folded
        for place, state in after.items():
            if state is not before[place]:
                value = encode_msgpack(state)
                self._store.put(*place, value)
                outputs.append(Output(USER_STATE, place[0], place[1], value))
        metrics.STATES.set(len(self._store))
        return outputs

    def tick(self) -> Iterable[Output]:
        """Return nothing: all that this worker writes is caused by a record."""
        return ()

    def kept(self, ends: Ends) -> None:
        """Keep the states of the batch."""
        self._store.keep(ends_of(USER_STATE, ends))

    def abandoned(self) -> None:
        """Put the states from before the batch back."""
        self._store.undo()

    def assigned(self, partitions: Sequence[int]) -> Sequence[Changelog]:
        """Have the states of these partitions read back."""
        self._store.open(partitions)
        return (changelog(USER_STATE, self._store),)

    def restored(self, partitions: Sequence[int]) -> None:
        """Count the users that are known now."""
        metrics.STATES.set(len(self._store))

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget the states of these partitions."""
        self._store.drop(partitions)
        metrics.STATES.set(len(self._store))

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()


def _rekeyed(record: Record, key: bytes, home: int) -> Output:
    metrics.REKEYED.inc()
    origin = f"{record.topic}/{record.partition}/{record.offset}".encode()
    return Output(REKEYED, home, key, record.value, (*record.headers, (_ORIGIN, origin)), record.timestamp_ms)
