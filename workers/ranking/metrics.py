"""What the ranking plane measures. Costs a batch some microseconds: labels are resolved here, values go in whole.

`pipeline.py` times the stages (`laps.py`), `watching.py` freshness and quality.
"""

from prometheus_client import Counter, Gauge, Histogram

from streams.slo import BUCKETS_SECONDS
from workers.ranking.batch_histogram import BatchHistogram

STAGE_SECONDS = Histogram(
    "headrace_ranking_stage_seconds",
    "Time of one pipeline stage for one batch.",
    ["stage", "name"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
_SLATES = Counter(
    "headrace_ranking_slates_total",
    "Slates made: for an event, or again because a standing slate lost an item or its model.",
    ["cause"],
)
SLATES = {cause: _SLATES.labels(cause) for cause in ("event", "standing")}
PROPOSED = Counter("headrace_ranking_candidates_total", "Candidates proposed.", ["source"])
REMOVED = Counter("headrace_ranking_removed_total", "Candidates removed.", ["filter"])
NON_FINITE = Counter("headrace_ranking_non_finite_scores_total", "Scores that were not finite.")
_FALLBACKS = Counter(
    "headrace_ranking_fallbacks_total",
    "Slates that are less than they should be: made without knowing the user (no_history), or with fewer items "
    "than asked for (short).",
    ["reason"],
)
NO_HISTORY = _FALLBACKS.labels("no_history")
SHORT = _FALLBACKS.labels("short")

DEGRADED = Counter(
    "headrace_ranking_degraded_total",
    "Slates made with less than the whole model to keep the deadline, by what was done instead.",
    ["level"],
)
ANSWER_SECONDS = Histogram(
    "headrace_ranking_answer_seconds",
    "From the CreateTime of a request to its answer, which is written with the batch.",
    buckets=BUCKETS_SECONDS,
)
SUPPRESSED = Counter(
    "headrace_ranking_suppressed_total", "Slates held back because they are those that stand already."
)

STAGES = ("state", "queue", "retrieve", "rank", "publish")
"""Of freshness, in order: event's CreateTime -> state's CreateTime -> taken up -> candidates there -> slate made
-> slate readable."""
FRESHNESS_SECONDS = BatchHistogram(
    "headrace_ranking_freshness_seconds",
    "From the CreateTime of the newest event behind a slate to the moment at which the slate can be read.",
    buckets=BUCKETS_SECONDS,
)
FRESHNESS_STAGE_SECONDS = BatchHistogram(
    "headrace_ranking_freshness_stage_seconds",
    "The part of each slate's freshness that one stage took; the parts add up to the whole.",
    buckets=BUCKETS_SECONDS,
    label="stage",
    values=STAGES,
)

SLATE_ITEMS = Counter("headrace_ranking_slate_items_total", "Places of slates that were filled.")
POPULAR_ITEMS = Counter(
    "headrace_ranking_popular_items_total",
    "Of those, places given to the most popular hundredth of the items (popularity bias).",
)
COMPARED_ITEMS = Counter(
    "headrace_ranking_compared_items_total", "Places of slates whose user had a slate before, while it stood here."
)
REPEATED_ITEMS = Counter(
    "headrace_ranking_repeated_items_total", "Of those, places given to an item of the user's previous slate."
)
COVERAGE = Gauge(
    "headrace_ranking_catalogue_coverage_ratio",
    "Share of the items that may be shown which stand in the newest slate of some user of this worker.",
)
STANDING = Gauge("headrace_ranking_standing_slates", "Newest slates of the users that this worker owns.")
WAITING = Gauge("headrace_ranking_standing_waiting", "Standing slates that wait to be made again.")

MODEL_LOADED = Gauge("headrace_ranking_model_info", "1 for the model that serves.", ["version", "encoder"])
MODEL_CREATED = Gauge(
    "headrace_ranking_model_created_timestamp_seconds", "When the model that serves was trained, Unix time."
)
MODEL_SWAPPED = Gauge(
    "headrace_ranking_model_loaded_timestamp_seconds", "When the model that serves was taken up, Unix time."
)
MODELS_REFUSED = Counter("headrace_ranking_models_refused_total", "Announced models that could not serve.")
NEWEST_VECTOR = Gauge(
    "headrace_ranking_newest_vector_timestamp_seconds",
    "CreateTime of the newest item vector that this worker has read, Unix time.",
)
