"""What the loop and the state plane measure. The stages are timed where they run: in `streams/loop.py`."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Histogram buckets, dense below the freshness goal of 0.1 s."""

RECORDS = Counter("headrace_streams_records_total", "Records read from a source topic.", ["topic"])
REJECTED = Counter(
    "headrace_streams_rejected_total", "Records sent whole to a dead-letter topic.", ["topic", "reason"]
)
REASONS = (
    "ahead",
    "empty",
    "invalid",
    "key_mismatch",
    "keyless",
    "malformed",
    "misplaced",
    "other_encoder",
    "out_of_scale",
    "oversize",
)
"""Why records are rejected, as far as known beforehand: a series that begins with its first rejection would hide
that one from every rate. Any other reason works, and begins so."""
OUTPUTS = Counter("headrace_streams_outputs_total", "Records delivered to a topic.", ["topic"])
STAGE_SECONDS = Histogram(
    "headrace_streams_stage_seconds",
    "Time of one stage of one batch: decode, handle, deliver, commit.",
    ["stage"],
    buckets=SECONDS,
)
BATCH_RECORDS = Histogram(
    "headrace_streams_batch_records",
    "Records in a batch.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000),
)
LAG_RECORDS = Gauge(
    "headrace_streams_lag_records", "Records of an owned partition not yet committed.", ["topic", "partition"]
)
LAG_SECONDS = Gauge(
    "headrace_streams_lag_seconds",
    "Age of the newest committed record of an owned partition while it has lag, by its CreateTime; 0 without lag.",
    ["topic", "partition"],
)
OWNED = Gauge("headrace_streams_owned_partitions", "Partitions that this worker owns.")
RESTORED = Counter("headrace_streams_restored_records_total", "Records read back at assignment.", ["topic"])
RESTORING = Gauge("headrace_streams_restoring_partitions", "Owned partitions whose state is being read back.")
RESTORE_LEFT = Gauge("headrace_streams_restore_left_records", "Offsets that a restore has still to read.")
ABANDONED = Counter("headrace_streams_abandoned_batches_total", "Batches that were undone and read again.")
PRODUCERS_REPLACED = Counter(
    "headrace_streams_replaced_producers_total", "Transactional producers that had to be replaced."
)
STORES_REBUILT = Counter(
    "headrace_streams_rebuilt_stores_total", "Local state of a partition that could not be used and was dropped."
)
_REKEYED = Counter(
    "headrace_streams_rekeyed_total", "Records passed on because key or partition was not the user's.", ["reason"]
)
REKEYED = {
    reason: _REKEYED.labels(reason) for reason in ("keyless", "mis_keyed", "foreign_partitioner", "pseudonym")
}
ERASED = Counter("headrace_streams_erased_users_total", "Users whose state was erased on request.")
STATES = Gauge("headrace_streams_users", "Users whose state this worker holds.")
DUPLICATES = Counter("headrace_streams_duplicate_events_total", "Events that had been folded in before.")
NEXT_OFFSET = Gauge(
    "headrace_streams_next_offset",
    "Offset after the newest committed record of an owned partition: it stands still when the partition is stuck.",
    ["topic", "partition"],
)


def expect(topics: Iterable[str]) -> None:
    """Let the counters of these source topics begin at zero."""
    for topic in topics:
        RECORDS.labels(topic)
        for reason in REASONS:
            REJECTED.labels(topic, reason)
