"""What the loop tells about a batch: counts, rejections, and how far behind its partitions are."""

from collections import Counter
from collections.abc import Sequence

import structlog
from confluent_kafka import Consumer, TopicPartition

from streams import metrics
from streams.clock import Clock, wall_seconds
from streams.contracts import Record, Rejected

_log = structlog.get_logger()
_MOST_LINES = 10
"""Rejections of one batch that get a line each; the counter has them all."""


def tell(
    reader: Consumer, records: Sequence[Record], rejected: Sequence[Rejected], clock: Clock = wall_seconds
) -> None:
    """Measure a batch that is in the log. Costs a batch and a partition something, a record nothing."""
    metrics.BATCH_RECORDS.observe(len(records))
    for (topic, reason), count in Counter((item.record.topic, item.reason) for item in rejected).items():
        metrics.REJECTED.labels(topic, reason).inc(count)
    for item in rejected[:_MOST_LINES]:
        _log.warning(
            "rejected",
            topic=item.record.topic,
            partition=item.record.partition,
            offset=item.record.offset,
            reason=item.reason,
            others=max(0, len(rejected) - _MOST_LINES),
        )
    counts: Counter[str] = Counter(record.topic for record in records)
    for topic, count in counts.items():
        metrics.RECORDS.labels(topic).inc(count)
    now = clock()
    for (topic, partition), record in {(record.topic, record.partition): record for record in records}.items():
        _, high = reader.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
        lag = max(0, high - record.offset - 1)
        labels = (topic, str(partition))
        metrics.LAG_RECORDS.labels(*labels).set(lag)
        metrics.LAG_SECONDS.labels(*labels).set(now - record.timestamp_ms / 1000 if lag else 0)
