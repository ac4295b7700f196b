"""For the one on call: where records wait, what is lost, which stage is slow."""

from deploy.grafana.board import Board, Levels, Query, chart, number
from deploy.grafana.queries import mean, or_nothing, quantile, rate, share_or_zero
from streams import slo

TOPIC = '{topic=~"$topic"}'
READ = f"headrace_streams_records_total{TOPIC}"
REJECTED = f"headrace_streams_rejected_total{TOPIC}"


def board() -> Board:
    """Return the dashboard."""
    variables = {"topic": "label_values(headrace_streams_lag_records, topic)"}
    return (
        Board("headrace-pipeline", "Where do records wait, which are lost, which stage is slow?", variables)
        .row(
            "Do the workers keep up?",
            [
                chart(
                    "How many records wait?",
                    "Records of each topic that are not yet committed. Growing: the worker cannot keep up.",
                    "short",
                    Query(f"sum by (topic) (headrace_streams_lag_records{TOPIC})", "{{topic}}"),
                ),
                chart(
                    "How long have they waited?",
                    "Age of the newest committed record of the partition that is furthest behind.",
                    "s",
                    Query(f"max by (topic) (headrace_streams_lag_seconds{TOPIC})", "{{topic}}"),
                    levels=Levels(slo.FRESHNESS_SECONDS, 60),
                ),
                chart(
                    "Does any partition stand still?",
                    "Records that each partition moves a second. Flat at zero beside lag: stuck, see its runbook.",
                    "recps",
                    Query(
                        "sum by (topic, partition) (clamp_min(deriv("
                        f"headrace_streams_next_offset{TOPIC}[$__rate_interval]), 0))",
                        "{{topic}} {{partition}}",
                    ),
                ),
                chart(
                    "Who owns the partitions?",
                    "Partitions of each worker. The sum of a kind is the topic's number; a step is a rebalance.",
                    "short",
                    Query(
                        "sum by (worker, instance) (headrace_streams_owned_partitions)", "{{worker}} {{instance}}"
                    ),
                    stacked=True,
                ),
            ],
        )
        .row(
            "What goes in, what comes out, what is lost?",
            [
                chart(
                    "How much comes in?",
                    "Records read a second, by topic.",
                    "recps",
                    Query(rate(READ, "topic"), "{{topic}}"),
                ),
                chart(
                    "How much goes out?",
                    "Records a second that the broker has, by topic; dead letters too.",
                    "recps",
                    Query(rate("headrace_streams_outputs_total", "topic"), "{{topic}}"),
                ),
                chart(
                    "What cannot be used, and why?",
                    "Dead letters a second by topic, and by reason where there are any; whole in `<topic>.dlq`.",
                    "recps",
                    Query(rate(REJECTED, "topic"), "{{topic}}"),
                    Query(f"{rate(REJECTED, 'topic', 'reason')} > 0", "{{topic}} {{reason}}"),
                    width=8,
                ),
                number(
                    "What share of the input is dead?",
                    "Dead letters of the records read. More than a trace: a producer changed.",
                    "percentunit",
                    Query(share_or_zero(REJECTED, READ), "dead"),
                    width=8,
                    height=8,
                    levels=Levels(slo.DEAD_LETTER_RATIO / 10, slo.DEAD_LETTER_RATIO),
                ),
                chart(
                    "Do producers key their events right?",
                    "Records passed on to the partition that owns the user, and events that came twice.",
                    "recps",
                    Query(rate("headrace_streams_rekeyed_total", "reason"), "passed on, {{reason}}"),
                    Query(rate("headrace_streams_duplicate_events_total"), "repeated"),
                    width=8,
                ),
            ],
        )
        .row(
            "Which stage is slow?",
            [
                chart(
                    "Which part of freshness is slow?",
                    "The slowest hundredth of each stage from click to slate.",
                    "s",
                    Query(quantile(0.99, "headrace_ranking_freshness_stage_seconds", "stage"), "{{stage}}"),
                    levels=Levels(slo.TYPICAL_SECONDS, slo.FRESHNESS_SECONDS),
                ),
                chart(
                    "Which step of a batch is slow?",
                    "Slowest hundredth of each step of the loop, by worker.",
                    "s",
                    Query(
                        quantile(0.99, "headrace_streams_stage_seconds", "worker", "stage"), "{{worker}} {{stage}}"
                    ),
                ),
                chart(
                    "Which stage of ranking takes the time?",
                    "Mean time of a batch in each stage of the pipeline.",
                    "s",
                    Query(mean("headrace_ranking_stage_seconds", "stage", "name"), "{{stage}} {{name}}"),
                    stacked=True,
                ),
                chart(
                    "How large are the batches?",
                    "Mean records of a batch. Batches grow when a worker falls behind, which makes it quicker.",
                    "short",
                    Query(mean("headrace_streams_batch_records", "worker"), "{{worker}}"),
                    width=6,
                ),
                chart(
                    "Are batches undone?",
                    "Batches that the broker refused and that were read again, and producers that were replaced. "
                    "Some are normal in a rebalance; a local store is rebuilt when it is damaged or too old.",
                    "cps",
                    Query(rate("headrace_streams_abandoned_batches_total", "worker"), "{{worker}} undone"),
                    Query(rate("headrace_streams_replaced_producers_total", "worker"), "{{worker}} replaced"),
                    Query(rate("headrace_streams_rebuilt_stores_total", "worker"), "{{worker}} store rebuilt"),
                    width=6,
                ),
            ],
        )
        .row(
            "Are requests in words answered?",
            [
                chart(
                    "How long does an answer take?",
                    "From the request's time in the log to its answer, half of them and the slowest hundredth.",
                    "s",
                    Query(quantile(0.5, "headrace_ranking_answer_seconds"), "half"),
                    Query(quantile(0.99, "headrace_ranking_answer_seconds"), "slowest hundredth"),
                    levels=Levels(slo.TYPICAL_SECONDS, slo.FRESHNESS_SECONDS),
                ),
                chart(
                    "How much is asked?",
                    "Requests answered a second.",
                    "cps",
                    Query(rate("headrace_ranking_answer_seconds_count"), "answered"),
                ),
            ],
        )
        .row(
            "Are slates made with less than all there is, or held back?",
            [
                chart(
                    "Which slates were made in a hurry?",
                    "Slates a second made with less than the whole model to keep ranking.deadline_seconds, by "
                    "what was done instead. Lasting: give the worker fewer partitions, or the batch more time.",
                    "cps",
                    Query(or_nothing(rate("headrace_ranking_degraded_total", "level"), "level"), "{{level}}"),
                ),
                chart(
                    "How many slates were not published?",
                    "Slates a second that are those which stand already. Only with ranking.publish: changed.",
                    "cps",
                    Query(rate("headrace_ranking_suppressed_total"), "held back"),
                ),
            ],
        )
        .row(
            "What is held in memory?",
            [
                chart(
                    "How many users are known?",
                    "Users whose state a state worker holds, users who have a standing slate, users just erased.",
                    "short",
                    Query("sum(headrace_streams_users)", "states"),
                    Query("sum(increase(headrace_streams_erased_users_total[$__rate_interval]))", "erased"),
                    Query("sum(headrace_ranking_standing_slates)", "standing slates"),
                    width=6,
                ),
                chart(
                    "Is anybody reading back?",
                    "Records a second read back after a start or a rebalance.",
                    "recps",
                    Query(
                        or_nothing(rate("headrace_streams_restored_records_total", "topic"), "topic"), "{{topic}}"
                    ),
                    width=6,
                ),
                chart(
                    "How much is left to read back?",
                    "Records that a restore has still to read, and the partitions that wait for it.",
                    "short",
                    Query("sum(headrace_streams_restore_left_records)", "records"),
                    Query("sum(headrace_streams_restoring_partitions)", "partitions"),
                    width=6,
                ),
                chart(
                    "Which standing slates wait?",
                    "Slates to be made again because an item went or the model changed.",
                    "short",
                    Query("sum(headrace_ranking_standing_waiting)", "waiting"),
                    width=6,
                ),
            ],
        )
    )
