"""What the feedback app is told: each accepted act on an item, and how often each item was acted on."""

from collections.abc import Iterator, Sequence

import msgspec

from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import EventType, Headers, Output, UserAction
from streams.partitioner import owner
from streams.state.fold import Arrival
from streams.topics import CLICKSTREAM, ITEM_ACTIVITY, USER_ACTIONS

RECORD_BYTES = 64 * 1024
"""Most bytes of a record of several entries: the reader takes whole records, and keeps many in a queue."""

_RECORD_ENTRIES = 256
_RATING = EventType.RATING.code


class _Tally(msgspec.Struct, array_like=True, gc=False):
    """An `ItemActivity` that is still counted, with the same form on the wire."""

    item_id: str
    counts: dict[int, int]
    stream_time_ms: int


class Feedback:
    """Gathers the accepted events of one batch that name an item.

    Args:
        partitions: of `item.activity.v1`.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._outputs: list[Output] = []
        self._actions: dict[int, list[UserAction]] = {}
        self._items: dict[str, _Tally] = {}

    def add(self, accepted: Sequence[Arrival], user_id: str, partition: int) -> None:
        """Take in accepted events of one user.

        Args:
            user_id: as the internal topics have it.
            partition: of the records.
        """
        actions = self._actions.setdefault(partition, [])
        tell, items = actions.append, self._items
        for record, event, time_ms in accepted:
            item_id = event.item_id
            if item_id is None:
                continue
            code = event.event_type.code
            value = event.value if code == _RATING else None
            topic = 0 if record.topic == CLICKSTREAM else 1
            answers = event.recommendation_id
            tell(
                UserAction(
                    user_id, code, item_id, time_ms, value, answers, topic, record.offset, record.timestamp_ms
                )
            )
            tally = items.get(item_id)
            if tally is None:
                items[item_id] = _Tally(item_id, {code: 1}, time_ms)
                continue
            tally.counts[code] = tally.counts.get(code, 0) + 1
            tally.stream_time_ms = max(tally.stream_time_ms, time_ms)

    def erased(self, partition: int, key: bytes, headers: Headers) -> None:
        """Say that what was told of the user so far is to be forgotten.

        The feedback app hears of it from the null slate too. But it reads slates and actions in any order, and of
        the actions from before the erasure only this null says that they are from before it.
        """
        self._tell_actions(partition)
        self._outputs.append(Output(USER_ACTIONS, partition, key, None, headers))

    def outputs(self) -> list[Output]:
        """Return the records of the batch: actions on the source's partition, counts on the item's own."""
        for partition in list(self._actions):
            self._tell_actions(partition)
        by_home: list[list[_Tally]] = [[] for _ in range(self._partitions)]
        for item_id, tally in self._items.items():
            by_home[owner(item_id.encode(), self._partitions)].append(tally)
        for home, tallies in enumerate(by_home):
            self._outputs += [Output(ITEM_ACTIVITY, home, None, value) for value in _values(tallies)]
        return self._outputs

    def _tell_actions(self, partition: int) -> None:
        actions = self._actions.pop(partition, [])
        self._outputs += [Output(USER_ACTIONS, partition, None, value) for value in _values(actions)]


def _values(entries: Sequence[msgspec.Struct]) -> Iterator[bytes]:
    """Return the values of as many records as the entries need, in order: `ActionBatch` or `ActivityBatch`."""
    for start in range(0, len(entries), _RECORD_ENTRIES):
        yield from _fitting(entries[start : start + _RECORD_ENTRIES])


def _fitting(entries: Sequence[msgspec.Struct]) -> Iterator[bytes]:
    value = encode_msgpack((SCHEMA_VERSION, entries))
    half = len(entries) // 2
    if len(value) <= RECORD_BYTES or not half:
        yield value
        return
    yield from _fitting(entries[:half])
    yield from _fitting(entries[half:])
