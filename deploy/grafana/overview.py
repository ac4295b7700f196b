"""For the one who answers for the product: is it fresh, is it good, what changed."""

from deploy.grafana.board import Board, Levels, Query, chart, number
from deploy.grafana.queries import RANGE, age, mean, quantile, share, share_or_zero
from streams import slo

FRESHNESS = "headrace_ranking_freshness_seconds"
STAGES = "headrace_ranking_freshness_stage_seconds"
SHOWN = "headrace_feedback_exposures_total"
CHOSEN = "headrace_feedback_outcomes_total"
FALLBACKS = "headrace_ranking_fallbacks_total"
SLATES = "headrace_ranking_slates_total"


def on_time(over: str) -> str:
    """Return the share of slates that could be read within the promise."""
    return share(f'{FRESHNESS}_bucket{{le="{slo.FRESHNESS_SECONDS}"}}', f"{FRESHNESS}_count", over=over)


def board() -> Board:
    """Return the dashboard."""
    promise = f"{slo.FRESHNESS_SHARE:.0%} within {slo.FRESHNESS_SECONDS:g} s"
    late = Levels(slo.TYPICAL_SECONDS, slo.FRESHNESS_SECONDS)
    return (
        Board("headrace-overview", "Is it fresh, is it good, and what changed?")
        .row(
            "Is it fresh?",
            [
                number(
                    "Do slates come in time?",
                    f"Share of slates that can be read within the promise ({promise}) of their click, "
                    "over the time shown. Below: see `Pipeline` for the stage that is slow.",
                    "percentunit",
                    Query(on_time(RANGE), "in time"),
                    levels=Levels(slo.FRESHNESS_SHARE, 0.95, high_is_bad=False),
                ),
                number(
                    "How long does a click take?",
                    "Half of the slates are there sooner, by the log's clock: from the click's CreateTime until "
                    f"the slate can be read. The promise is {slo.TYPICAL_SECONDS:g} s.",
                    "s",
                    Query(quantile(0.5, FRESHNESS), "median"),
                    levels=late,
                ),
                number(
                    "And the slowest hundredth?",
                    f"99 of 100 slates are there sooner. The promise is {slo.FRESHNESS_SECONDS:g} s.",
                    "s",
                    Query(quantile(0.99, FRESHNESS), "p99"),
                    levels=Levels(slo.FRESHNESS_SECONDS / 2, slo.FRESHNESS_SECONDS),
                ),
                number(
                    "What is wrong right now?",
                    "Alerts that fire. Each has a runbook page: what it means, what to look at, what to do.",
                    "short",
                    Query('count(ALERTS{alertname=~"Headrace.*",alertstate="firing"}) or vector(0)', "alerts"),
                    levels=Levels(1, 1),
                ),
                chart(
                    "Where does the time go?",
                    "Mean freshness of a slate, by the stage that took it: state (folding the click in), queue "
                    "(waiting for the ranking worker), retrieve, rank, publish (delivery and commit).",
                    "s",
                    Query(mean(STAGES, "stage"), "{{stage}}"),
                    stacked=True,
                ),
                chart(
                    "Is freshness what it was?",
                    "Median and slowest hundredth over time, beside the promise.",
                    "s",
                    Query(quantile(0.5, FRESHNESS), "median"),
                    Query(quantile(0.99, FRESHNESS), "p99"),
                    levels=late,
                ),
            ],
        )
        .row(
            "Is it good?",
            [
                chart(
                    "Do people take what is recommended?",
                    "Click-through rate: clicks, of the items that a producer reports as seen. Hit rate: of the "
                    "items that stood in a slate, where nobody reports what was seen; the two cannot be compared.",
                    "percentunit",
                    Query(
                        share(
                            f'{CHOSEN}{{evidence="impression",action="click"}}',
                            f'{SHOWN}{{evidence="impression"}}',
                        ),
                        "click-through rate",
                    ),
                    Query(share(f'{CHOSEN}{{evidence="slate"}}', f'{SHOWN}{{evidence="slate"}}'), "hit rate"),
                ),
                chart(
                    "How many slates are a fallback?",
                    "Slates that know nothing of their user, and slates that came out short. Many of the first "
                    "after a restart mean that state was lost.",
                    "percentunit",
                    Query(share_or_zero(f'{FALLBACKS}{{reason="no_history"}}', SLATES), "no history"),
                    Query(share_or_zero(f'{FALLBACKS}{{reason="short"}}', SLATES), "short"),
                    levels=Levels(slo.FALLBACK_RATIO / 2, slo.FALLBACK_RATIO),
                ),
                number(
                    "How much of the catalogue is shown?",
                    "Share of the items that may be shown which stand in somebody's newest slate.",
                    "percentunit",
                    Query("max(headrace_ranking_catalogue_coverage_ratio)", "coverage"),
                    width=8,
                ),
                number(
                    "Do slates repeat themselves?",
                    "Share of a slate's places held by items of the same user's slate before. High with no clicks "
                    "between is right; high beside a falling hit rate is boredom.",
                    "percentunit",
                    Query(
                        share(
                            "headrace_ranking_repeated_items_total",
                            "headrace_ranking_compared_items_total",
                            over=RANGE,
                        ),
                        "repeated",
                    ),
                    width=8,
                ),
                number(
                    "Do the popular crowd out the rest?",
                    "Share of places that go to the most popular hundredth of the items.",
                    "percentunit",
                    Query(
                        share(
                            "headrace_ranking_popular_items_total",
                            "headrace_ranking_slate_items_total",
                            over=RANGE,
                        ),
                        "popular",
                    ),
                    width=8,
                ),
            ],
        )
        .row(
            "What changed?",
            [
                number(
                    "Which model serves?",
                    "Version of the model. Two names: workers disagree, one of them refused the newer.",
                    "short",
                    Query("max by (version) (headrace_ranking_model_info)", "{{version}}"),
                    text=True,
                ),
                number(
                    "How old is it?",
                    "Since the model was trained.",
                    "s",
                    Query(age("headrace_ranking_model_created_timestamp_seconds"), "age"),
                    levels=Levels(slo.MODEL_AGE_SECONDS / 2, slo.MODEL_AGE_SECONDS),
                ),
                number(
                    "When did the catalogue last change?",
                    "Age of the newest item vector that a ranking worker has read.",
                    "s",
                    Query(age("headrace_ranking_newest_vector_timestamp_seconds"), "age"),
                ),
                number(
                    "Are all workers there?",
                    "Share of the workers that answer Prometheus.",
                    "percentunit",
                    Query('avg(up{job="headrace"})', "up"),
                    levels=Levels(1, 1, high_is_bad=False),
                ),
            ],
        )
    )
