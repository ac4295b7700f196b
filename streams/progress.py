"""What the loop tells about a batch: counts and rejections. How far behind it is tells `streams/lag.py`."""

from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from streams import metrics
from streams.contracts import Rejected

_log = structlog.get_logger()
_MOST_LINES = 10
"""Rejections of one batch that get a line each; the counter has them all."""


def tell(counts: Mapping[str, int], rejected: Sequence[Rejected]) -> None:
    """Measure a batch that is in the log. Costs a batch something, a record nothing.

    Args:
        counts: topic -> its records in the batch.
    """
    metrics.BATCH_RECORDS.observe(sum(counts.values()))
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
    for topic, count in counts.items():
        metrics.RECORDS.labels(topic).inc(count)
