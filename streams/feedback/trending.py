"""User actions in, `item.trends.v1` out: the newest trend of every item that a batch names, an end to faded ones.

Trends are counted where the actions lie, by the partition of the users: no topic carries actions to a partition of
their item. Decayed counts are sums, so the reader adds up what the partitions say (ADR 6). Where the events tell a
context, such as a country, a trend holds the counts of each context as well.

Items come and go, and the counts of those that nobody acts on any more fade. With each batch as many trends of the
table get their turn as the batch changes, and a null record takes the place of each that has faded.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from streams.codec import decode_item_trend, encode_msgpack
from streams.contracts import ActionBatch, ItemTrend, Output, Record
from streams.feedback import metrics
from streams.feedback.decoding import Heard
from streams.feedback.outbox import Outbox
from streams.feedback.stream_time import StreamTime
from streams.feedback.tables import AwaitedTable
from streams.feedback.trends import Activity, activities, faded, trend_after
from streams.settings.feedback import FeedbackSettings
from streams.topics import ITEM_TRENDS, USER_ACTIONS

_Place = tuple[int, str]
"""A partition and an item."""


class Trending:
    """Handles batches of `user.actions.v1`, in the order that `Joining` describes.

    What holds no actions it passes over: `Joining` sees to bad records and to erasures, and counts name no user.
    """

    def __init__(self, table: AwaitedTable, outbox: Outbox, settings: FeedbackSettings) -> None:
        self._table = table
        self._outbox = outbox
        self._jump_ms = int(settings.jump_seconds * 1000)
        self._most_contexts = settings.contexts_per_item
        self._times: dict[int, StreamTime] = {}
        self._round: Iterator[bytes] = iter(())

    def recovered(self, partitions: frozenset[int]) -> None:
        """Take the table as Faust has recovered it; `partitions` are all that are owned now."""
        self._times = {number: time for number, time in self._times.items() if number in partitions}
        self._table.forget([key for key, _ in self._table.items() if partition_of(key) not in partitions])

    async def handle(self, batch: Sequence[Heard]) -> None:
        """Make what these records cause permanent; raises as `Joining.handle` does."""
        changed: dict[_Place, ItemTrend] = {}
        for record, message in batch:
            if isinstance(message, ActionBatch):
                for activity in activities(message.actions):
                    self._count(record, activity, changed)
        values: dict[_Place, bytes | None] = {place: encode_msgpack(trend) for place, trend in changed.items()}
        faded_places = [place for place in self._next(len(changed)) if place not in changed and self._faded(place)]
        values.update(dict.fromkeys(faded_places))
        await self._outbox.deliver(
            Output(ITEM_TRENDS, number, item_id.encode(), value) for (number, item_id), value in values.items()
        )
        await self._table.write(
            {table_key(number, item_id): (number, value) for (number, item_id), value in values.items()}
        )
        metrics.TRENDS_FADED.inc(len(faded_places))

    def _count(self, record: Record, activity: Activity, changed: dict[_Place, ItemTrend]) -> None:
        place = record.partition, activity.item_id
        before = changed.get(place) or self._stored(place)
        now_ms = self._now_ms(record, activity)
        after = trend_after(before, activity, record.offset, now_ms, self._most_contexts)
        if after is before:
            metrics.DUPLICATES.inc()
        else:
            changed[place] = after

    def _next(self, most: int) -> list[_Place]:
        """Return places of the table that it is the turn of; a round goes through all of them."""
        found = [place_of(key) for key in islice(self._round, most)]
        if len(found) < most:
            self._round = iter([key for key, _ in self._table.items()])
        return found

    def _faded(self, place: _Place) -> bool:
        # What a partition's time is, is known once something was read from it.
        time, trend = self._times.get(place[0]), self._stored(place)
        return time is not None and trend is not None and faded(trend, time.now_ms)

    def _stored(self, place: _Place) -> ItemTrend | None:
        value = self._table.get(table_key(*place))
        return None if value is None else decode_item_trend(value)

    def _now_ms(self, record: Record, activity: Activity) -> int:
        time = self._times.setdefault(record.partition, StreamTime((USER_ACTIONS,), self._jump_ms))
        return time.advance(record.topic, activity.newest_ms, record.timestamp_ms)


def table_key(partition: int, item_id: str) -> bytes:
    """Return what the table calls the trend of an item among the users of a partition."""
    return f"{partition} {item_id}".encode()


def partition_of(key: bytes) -> int:
    """Return the partition of a key of the table."""
    return place_of(key)[0]


def place_of(key: bytes) -> _Place:
    """Return what `table_key` was made of."""
    number, _, item_id = key.partition(b" ")
    return int(number), item_id.decode()
