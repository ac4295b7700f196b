"""For the one who answers for quality: what people take, by model, source and place; what slates are made of."""

from deploy.grafana.board import Board, Levels, Query, chart
from deploy.grafana.queries import or_nothing, quantile, rate, share, share_or_zero
from streams import slo

SHOWN = "headrace_feedback_exposures_total"
CHOSEN = "headrace_feedback_outcomes_total"
SHOWN_AT = "headrace_feedback_exposures_by_position_total"
CHOSEN_AT = "headrace_feedback_outcomes_by_position_total"
CLICKED = '{evidence="impression",action="click"}'
SEEN, STOOD = '{evidence="impression"}', '{evidence="slate"}'


def board() -> Board:
    """Return the dashboard."""
    return (
        Board("headrace-feedback", "What do people take of what is recommended?")
        .row(
            "What do people take?",
            [
                chart(
                    "Which model is clicked?",
                    "Click-through rate by model: clicks, of the items that a producer reports as seen.",
                    "percentunit",
                    Query(share(CHOSEN + CLICKED, SHOWN + SEEN, "model_version"), "{{model_version}}"),
                    width=8,
                ),
                chart(
                    "Which model hits?",
                    "Hit rate by model: of the items that stood in a slate. Not to be compared with a "
                    "click-through rate: nobody knows what was seen.",
                    "percentunit",
                    Query(share(CHOSEN + STOOD, SHOWN + STOOD, "model_version"), "{{model_version}}"),
                    width=8,
                ),
                chart(
                    "Which source hits?",
                    "Hit rate by the source that proposed the item.",
                    "percentunit",
                    Query(share(CHOSEN + STOOD, SHOWN + STOOD, "source"), "{{source}}"),
                    width=8,
                ),
                chart(
                    "Which places are taken?",
                    "Hit rate by place in the slate. A steep fall is how people look, not how items are.",
                    "percentunit",
                    Query(share(CHOSEN_AT + STOOD, SHOWN_AT + STOOD, "position"), "place {{position}}"),
                    width=8,
                ),
                chart(
                    "How much was shown?",
                    "Items a second that count as shown, by what says so.",
                    "cps",
                    Query(rate(SHOWN, "evidence"), "{{evidence}}"),
                    width=8,
                ),
                chart(
                    "What do they do with it?",
                    "Actions a second that answer a recommendation.",
                    "cps",
                    Query(rate(CHOSEN, "action"), "{{action}}"),
                    width=8,
                ),
            ],
        )
        .row(
            "What are slates made of?",
            [
                chart(
                    "How much of the catalogue is shown?",
                    "Share of the items that may be shown which stand in somebody's newest slate, by worker.",
                    "percentunit",
                    Query("headrace_ranking_catalogue_coverage_ratio", "{{instance}}"),
                    width=8,
                ),
                chart(
                    "Are slates repeated, or only popular?",
                    "Share of places held by the same user's slate before; share held by the most popular.",
                    "percentunit",
                    Query(
                        share("headrace_ranking_repeated_items_total", "headrace_ranking_compared_items_total"),
                        "repeated",
                    ),
                    Query(
                        share("headrace_ranking_popular_items_total", "headrace_ranking_slate_items_total"),
                        "popular",
                    ),
                    width=8,
                ),
                chart(
                    "How many slates are a fallback?",
                    "Slates that know nothing of their user, and slates with fewer items than asked for.",
                    "percentunit",
                    Query(
                        share_or_zero(
                            'headrace_ranking_fallbacks_total{reason="no_history"}',
                            "headrace_ranking_slates_total",
                        ),
                        "no history",
                    ),
                    Query(
                        share_or_zero(
                            'headrace_ranking_fallbacks_total{reason="short"}', "headrace_ranking_slates_total"
                        ),
                        "short",
                    ),
                    levels=Levels(slo.FALLBACK_RATIO / 2, slo.FALLBACK_RATIO),
                    width=8,
                ),
                chart(
                    "Why are slates made?",
                    "Slates a second: for an event, or again because the standing one was overtaken.",
                    "cps",
                    Query(rate("headrace_ranking_slates_total", "cause"), "{{cause}}"),
                    width=6,
                ),
                chart(
                    "Where do candidates come from?",
                    "Candidates proposed a second, by source.",
                    "cps",
                    Query(rate("headrace_ranking_candidates_total", "source"), "{{source}}"),
                    width=6,
                ),
                chart(
                    "What is taken out?",
                    "Candidates removed a second, by filter.",
                    "cps",
                    Query(rate("headrace_ranking_removed_total", "filter"), "{{filter}}"),
                    width=6,
                ),
                chart(
                    "Are all scores numbers?",
                    "Scores a second that were not finite. Any: the model or a vector is damaged.",
                    "cps",
                    Query(rate("headrace_ranking_non_finite_scores_total"), "not finite"),
                    levels=Levels(0.001, 0.1),
                    width=6,
                ),
            ],
        )
        .row(
            "Does the feedback worker keep up?",
            [
                chart(
                    "How much comes in, what is turned away?",
                    "Messages a second by topic, and messages that could not be used.",
                    "mps",
                    Query(rate("headrace_feedback_messages_total", "topic"), "{{topic}}"),
                    Query(
                        or_nothing(rate("headrace_feedback_rejected_total", "topic", "reason"), "reason"),
                        "rejected {{topic}} {{reason}}",
                    ),
                    width=8,
                ),
                chart(
                    "How many messages wait?",
                    "Messages of each topic that are not yet handled.",
                    "short",
                    Query("sum by (topic) (headrace_feedback_lag_records)", "{{topic}}"),
                    width=8,
                ),
                chart(
                    "How long have they waited?",
                    "Lag in seconds of the partition that is furthest behind.",
                    "s",
                    Query("max by (topic) (headrace_feedback_lag_seconds)", "{{topic}}"),
                    width=8,
                ),
                chart(
                    "How long does a message take?",
                    "Median and slowest hundredth of handling one message.",
                    "s",
                    Query(quantile(0.5, "headrace_feedback_handle_seconds"), "median"),
                    Query(quantile(0.99, "headrace_feedback_handle_seconds"), "p99"),
                    width=6,
                ),
                chart(
                    "What becomes an example?",
                    "Training examples a second, by what says that the item was shown.",
                    "cps",
                    Query(rate("headrace_feedback_examples_total", "evidence"), "{{evidence}}"),
                    width=6,
                ),
                chart(
                    "What answers no recommendation?",
                    "Actions a second that fit no slate, by reason; repeats that are left out; faded trends.",
                    "cps",
                    Query(
                        or_nothing(rate("headrace_feedback_unattributed_total", "reason"), "reason"), "{{reason}}"
                    ),
                    Query(rate("headrace_feedback_duplicates_total"), "repeats"),
                    Query(rate("headrace_feedback_faded_trends_total"), "faded trends"),
                    width=6,
                ),
                chart(
                    "How many users are in memory?",
                    "Users whose slates the feedback worker remembers.",
                    "short",
                    Query("sum(headrace_feedback_users)", "users"),
                    width=6,
                ),
            ],
        )
    )
