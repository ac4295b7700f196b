"""What the loop tells about a batch: counts and rejections. How far behind it is tells `streams/lag.py`."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

import structlog

from streams import metrics
from streams.contracts import Record, Rejected

_log = structlog.get_logger()
_topic = attrgetter("topic")
_MOST_LINES = 10
"""Rejections of one batch that get a line each; the counter has them all."""


def tell(records: Sequence[Record], rejected: Sequence[Rejected]) -> None:
    """Measure a batch that is in the log. Costs a batch something, a record nearly nothing."""
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
    counts: Counter[str] = Counter(map(_topic, records))
    for topic, count in counts.items():
        metrics.RECORDS.labels(topic).inc(count)
