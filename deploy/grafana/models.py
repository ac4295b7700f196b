"""For the one who answers for the models: does the index find, is the encoder quick, which model serves."""

from deploy.grafana.board import Board, Levels, Query, chart, number
from deploy.grafana.queries import age, quantile, rate, share
from streams import slo

LOOKUPS = "headrace_encoder_cache_lookups_total"


def board() -> Board:
    """Return the dashboard."""
    return (
        Board("headrace-models", "Does the index find what it should, and which model serves?")
        .row(
            "Does the index find what it should?",
            [
                chart(
                    "How much of the true nearest is found?",
                    "Recall of the last probe: queries that were really asked, compared with every row.",
                    "percentunit",
                    Query("min by (index) (headrace_index_recall_ratio)", "{{index}}"),
                    levels=Levels(slo.RECALL_RATIO, slo.RECALL_RATIO - 0.1, high_is_bad=False),
                    width=8,
                ),
                chart(
                    "How long does a search take?",
                    "Median and slowest hundredth of one call, all queries of a batch together.",
                    "s",
                    Query(quantile(0.5, "headrace_index_search_seconds", "index"), "{{index}} median"),
                    Query(quantile(0.99, "headrace_index_search_seconds", "index"), "{{index}} p99"),
                    width=8,
                ),
                chart(
                    "How many vectors are held?",
                    "Keys that can be found.",
                    "short",
                    Query("max by (index) (headrace_index_vectors)", "{{index}}"),
                    width=8,
                ),
                chart(
                    "How much of it is dead?",
                    "Rows that were overwritten or removed and wait for compaction. Over a half of a large "
                    "index starts one; a small one waits until its first tier is full, nearly all dead by then.",
                    "percentunit",
                    Query("max by (index) (headrace_index_tombstones_ratio)", "{{index}}"),
                    width=8,
                ),
                chart(
                    "Do compactions succeed?",
                    "Compactions a second by outcome; a failed one leaves the index right and slow.",
                    "cps",
                    Query(rate("headrace_index_compactions_total", "index", "outcome"), "{{index}} {{outcome}}"),
                    width=8,
                ),
                chart(
                    "How old is the main tier?",
                    "Since a model or a compaction built it.",
                    "s",
                    Query(age("headrace_index_built_timestamp_seconds", "index"), "{{index}}"),
                    levels=Levels(slo.INDEX_AGE_SECONDS / 2, slo.INDEX_AGE_SECONDS),
                    width=8,
                ),
                chart(
                    "Is recall being probed?",
                    "Probes a second; none: nobody knows whether the index finds.",
                    "cps",
                    Query(rate("headrace_index_recall_probes_total", "index"), "{{index}}"),
                ),
                chart(
                    "What does a probe cost?",
                    "Time of the last probe; a rest of a thousand times as long follows.",
                    "s",
                    Query("max by (index) (headrace_index_recall_probe_seconds)", "{{index}}"),
                ),
            ],
        )
        .row(
            "Which model serves?",
            [
                number(
                    "Which version, of which encoder?",
                    "Two names: workers disagree, one of them refused the newer.",
                    "short",
                    Query("max by (version, encoder) (headrace_ranking_model_info)", "{{version}} · {{encoder}}"),
                    width=8,
                    text=True,
                ),
                number(
                    "How old is it?",
                    "Since the model was trained.",
                    "s",
                    Query(age("headrace_ranking_model_created_timestamp_seconds"), "age"),
                    width=4,
                    levels=Levels(slo.MODEL_AGE_SECONDS / 2, slo.MODEL_AGE_SECONDS),
                ),
                number(
                    "Since when does it serve?",
                    "Since the newest swap on any worker.",
                    "s",
                    Query(age("headrace_ranking_model_loaded_timestamp_seconds"), "age"),
                    width=4,
                ),
                number(
                    "How fresh are vectors?",
                    "Age of the newest item vector that a ranking worker has read.",
                    "s",
                    Query(age("headrace_ranking_newest_vector_timestamp_seconds"), "age"),
                    width=4,
                ),
                number(
                    "Was a model refused?",
                    "Announced models that could not serve since the workers started; the log says why.",
                    "short",
                    Query("sum(headrace_ranking_models_refused_total)", "refused"),
                    width=4,
                    levels=Levels(1, 1),
                ),
            ],
        )
        .row(
            "Is the encoder quick?",
            [
                chart(
                    "How many texts go through the model?",
                    "Texts a second that had to be encoded.",
                    "cps",
                    Query(rate("headrace_encoder_texts_total"), "texts"),
                    width=6,
                ),
                chart(
                    "How many tokens is that?",
                    "Tokens a second, without padding.",
                    "cps",
                    Query(rate("headrace_encoder_tokens_total"), "tokens"),
                    width=6,
                ),
                chart(
                    "How long does a call take?",
                    "Slowest hundredth of a call by stage: all of its texts together.",
                    "s",
                    Query(quantile(0.99, "headrace_encoder_seconds", "stage"), "{{stage}}"),
                    width=6,
                ),
                chart(
                    "How many texts were known?",
                    "Share of texts that needed no model because their vector was remembered.",
                    "percentunit",
                    Query(share(f'{LOOKUPS}{{outcome="hit"}}', LOOKUPS), "hits"),
                    width=6,
                ),
            ],
        )
    )
