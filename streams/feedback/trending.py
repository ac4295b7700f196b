"""Item activity in, `item.trends.v1` out: the newest trend of every item that a batch holds."""

from collections.abc import Sequence

from streams.codec import decode_item_trend, encode_msgpack
from streams.contracts import ActivityBatch, ItemActivity, ItemTrend, Output, Record, Rejected
from streams.dead_letters import dead_letter
from streams.feedback import metrics
from streams.feedback.decoding import decoded
from streams.feedback.outbox import Outbox
from streams.feedback.stream_time import StreamTime
from streams.feedback.tables import AwaitedTable
from streams.feedback.trends import trend_after
from streams.settings.feedback import FeedbackSettings
from streams.topics import ITEM_ACTIVITY, ITEM_TRENDS


class Trending:
    """Handles batches of `item.activity.v1`, in the order that `Joining` describes."""

    sources = (ITEM_ACTIVITY,)

    def __init__(self, table: AwaitedTable, outbox: Outbox, settings: FeedbackSettings) -> None:
        self._table = table
        self._outbox = outbox
        self._jump_ms = int(settings.jump_seconds * 1000)
        self._times: dict[int, StreamTime] = {}

    def recovered(self, partitions: frozenset[int]) -> None:
        """Take the table as Faust has recovered it; `partitions` are all that are owned now."""
        self._times = {number: time for number, time in self._times.items() if number in partitions}

    async def handle(self, records: Sequence[Record]) -> None:
        """Make what these records cause permanent; raises as `Joining.handle` does."""
        changed: dict[bytes, tuple[int, ItemTrend]] = {}
        letters: list[Output] = []
        with metrics.HANDLE_SECONDS.time():
            for record in records:
                message = decoded(record)
                if isinstance(message, Rejected):
                    metrics.REJECTED.labels(record.topic, message.reason).inc()
                    letters.append(dead_letter(message))
                elif isinstance(message, ActivityBatch):
                    for activity in message.items:
                        self._count(record, activity, changed)
            values = {key: (number, encode_msgpack(trend)) for key, (number, trend) in changed.items()}
            trends = (Output(ITEM_TRENDS, number, key, value) for key, (number, value) in values.items())
            await self._outbox.deliver([*letters, *trends])
            await self._table.write(values)

    def _count(self, record: Record, activity: ItemActivity, changed: dict[bytes, tuple[int, ItemTrend]]) -> None:
        key = activity.item_id.encode()
        before = changed[key][1] if key in changed else self._stored(key)
        after = trend_after(before, activity, record.offset, self._now_ms(record, activity))
        if after is before:
            metrics.DUPLICATES.inc()
        else:
            changed[key] = (record.partition, after)

    def _stored(self, key: bytes) -> ItemTrend | None:
        value = self._table.get(key)
        return None if value is None else decode_item_trend(value)

    def _now_ms(self, record: Record, activity: ItemActivity) -> int:
        time = self._times.setdefault(record.partition, StreamTime(self.sources, self._jump_ms))
        return time.advance(record.topic, activity.stream_time_ms, record.timestamp_ms)
