"""What the ranking plane measures; `workers/ranking/pipeline.py` alone times its stages."""

from prometheus_client import Counter, Gauge, Histogram

STAGE_SECONDS = Histogram(
    "headrace_ranking_stage_seconds",
    "Time of one pipeline stage for one batch.",
    ["stage", "name"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
SLATES = Counter("headrace_ranking_slates_total", "Slates made.", ["cause"])
PROPOSED = Counter("headrace_ranking_candidates_total", "Candidates proposed.", ["source"])
REMOVED = Counter("headrace_ranking_removed_total", "Candidates removed.", ["filter"])
NON_FINITE = Counter("headrace_ranking_non_finite_scores_total", "Scores that were not finite.")
SHORT = Counter("headrace_ranking_short_slates_total", "Slates with fewer items than asked for.")
FRESHNESS_SECONDS = Histogram(
    "headrace_ranking_freshness_seconds",
    "Slate made minus CreateTime of the newest event behind it.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
STANDING = Gauge("headrace_ranking_standing_slates", "Newest slates of the users that this worker owns.")
WAITING = Gauge("headrace_ranking_standing_waiting", "Standing slates that wait to be made again.")
MODEL_LOADED = Gauge("headrace_ranking_model_info", "1 for the model that serves.", ["version", "encoder"])
MODELS_REFUSED = Counter("headrace_ranking_models_refused_total", "Announced models that could not serve.")
