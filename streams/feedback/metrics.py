"""What the feedback app measures. A rate from impressions is a click-through rate, one from slates a hit rate."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("headrace_feedback_messages_total", "Records read from a source topic.", ["topic"])
REJECTED = Counter(
    "headrace_feedback_rejected_total", "Records sent whole to a dead-letter topic.", ["topic", "reason"]
)
EXPOSURES = Counter(
    "headrace_feedback_exposures_total",
    "Places that users were offered; `impression`: seen on the screen, `slate`: the slate stood while they acted.",
    ["model_version", "source", "evidence"],
)
OUTCOMES = Counter(
    "headrace_feedback_outcomes_total",
    "Actions that answer a slate.",
    ["model_version", "source", "action", "evidence"],
)
EXPOSURES_BY_POSITION = Counter(
    "headrace_feedback_exposures_by_position_total", "Places that users were offered.", ["position", "evidence"]
)
OUTCOMES_BY_POSITION = Counter(
    "headrace_feedback_outcomes_by_position_total", "Actions that answer a slate.", ["position", "evidence"]
)
EXAMPLES = Counter("headrace_feedback_examples_total", "Training examples written.", ["evidence"])
UNATTRIBUTED = Counter("headrace_feedback_unattributed_total", "Actions that ended without a slate.", ["reason"])
DUPLICATES = Counter("headrace_feedback_duplicates_total", "Records that said what was known.")
LAG_RECORDS = Gauge(
    "headrace_feedback_lag_records", "Records of an owned partition not yet handled.", ["topic", "partition"]
)
LAG_SECONDS = Gauge(
    "headrace_feedback_lag_seconds",
    "Age of the newest handled record of an owned partition while it has lag, by its CreateTime.",
    ["topic", "partition"],
)
HANDLE_SECONDS = Histogram(
    "headrace_feedback_handle_seconds",
    "Time of one batch, from its first record's decoding to the delivery of all that it caused.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
TRENDS_FADED = Counter("headrace_feedback_faded_trends_total", "Trends that were ended because nothing is left.")
USERS = Gauge("headrace_feedback_users", "Users whose slates and actions this worker keeps.")
