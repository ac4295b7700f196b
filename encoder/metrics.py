"""What the encoder reports. Everything that this package measures is declared here."""

from prometheus_client import Counter, Histogram

TEXTS = Counter("headrace_encoder_texts_total", "Texts that went through the model.")
TOKENS = Counter("headrace_encoder_tokens_total", "Tokens that went through the model, without padding.")
SECONDS = Histogram(
    "headrace_encoder_seconds",
    "Time of one call, by stage: all texts of the call together.",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TOKENIZE_SECONDS = SECONDS.labels("tokenize")
FORWARD_SECONDS = SECONDS.labels("forward")
_LOOKUPS = Counter(
    "headrace_encoder_cache_lookups_total",
    "Texts asked of the de-duplicating cache. A hit needed no model: the text was remembered, or "
    "stood twice in one call.",
    ["outcome"],
)
CACHE_HITS = _LOOKUPS.labels("hit")
CACHE_MISSES = _LOOKUPS.labels("miss")
