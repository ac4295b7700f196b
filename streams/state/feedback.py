"""What the feedback app is told: each accepted act on an item, and how often each item was acted on."""

from collections.abc import Sequence

import msgspec

from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import EventType, Headers, ItemActivity, Output, Record, Source, UserAction
from streams.partitioner import owner
from streams.state.fold import Arrival
from streams.topics import ITEM_ACTIVITY, USER_ACTIONS

_RATING = EventType.RATING.code


def source_of(record: Record) -> Source:
    """Return the place of a record in the log."""
    return Source(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        create_time_ms=record.timestamp_ms,
    )


class _Held(msgspec.Struct, gc=False):
    """The activity of one item so far; see `ItemActivity`. Most items of a batch have one event: no dictionary."""

    code: int
    more: dict[int, int] | None
    stream_time_ms: int
    source: Source


class Feedback:
    """Gathers the accepted events of one batch that name an item.

    Args:
        partitions: of `item.activity.v1`.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._actions: list[Output] = []
        self._items: dict[str, _Held] = {}

    def add(self, accepted: Sequence[Arrival], user_id: str, key: bytes) -> None:
        """Take in accepted events of one user.

        Args:
            user_id: as the internal topics have it; `key` is the same in bytes.
        """
        tell, items = self._actions.append, self._items
        for record, event, time_ms in accepted:
            item_id = event.item_id
            if item_id is None:
                continue
            code = event.event_type.code
            value = event.value if code == _RATING else None
            source = source_of(record)
            answers = event.recommendation_id
            action = UserAction(
                SCHEMA_VERSION, user_id, event.event_id, code, item_id, time_ms, value, answers, source
            )
            tell(Output(USER_ACTIONS, record.partition, key, encode_msgpack(action)))
            held = items.get(item_id)
            if held is None:
                items[item_id] = _Held(code, None, time_ms, source)
                continue
            counts = held.more = held.more or {held.code: 1}
            counts[code] = counts.get(code, 0) + 1
            held.source = source
            held.stream_time_ms = max(held.stream_time_ms, time_ms)

    def erased(self, partition: int, key: bytes, headers: Headers) -> None:
        """Say that what was told of the user so far is to be forgotten.

        The feedback app hears of it from the null slate too. But it reads slates and actions in any order, and of
        the actions from before the erasure only this null says that they are from before it.
        """
        self._actions.append(Output(USER_ACTIONS, partition, key, None, headers))

    def outputs(self) -> list[Output]:
        """Return the records of the batch: actions on the source's partition, counts on the item's own."""
        outputs, partitions = self._actions, self._partitions
        for item_id, held in self._items.items():
            key = item_id.encode()
            counts = held.more or {held.code: 1}
            message = ItemActivity(SCHEMA_VERSION, item_id, counts, held.stream_time_ms, held.source)
            outputs.append(Output(ITEM_ACTIVITY, owner(key, partitions), key, encode_msgpack(message)))
        return outputs
