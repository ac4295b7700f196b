"""What the service promises, in one place: buckets, dashboards and alerts are held to it by tests.

Freshness is the time from the CreateTime of a clickstream record to the moment at which the slate that
answers it can be read, on the log's clock.
"""

from typing import Final

FRESHNESS_SECONDS: Final = 1.0
"""A slate that takes longer is late."""
FRESHNESS_SHARE: Final = 0.99
"""Share of slates that are not late, over 30 days."""
TYPICAL_SECONDS: Final = 0.1
"""The median slate is there by then."""
BUCKETS_SECONDS: Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    TYPICAL_SECONDS,
    0.25,
    0.5,
    FRESHNESS_SECONDS,
    2.5,
    5.0,
    10.0,
    60.0,
)
"""Buckets of every histogram of freshness: both promises are edges, so that the share that keeps them is exact."""
RECALL_RATIO: Final = 0.95
"""Share of the true nearest that the index finds; the setting `index.recall_target` has the same default."""
DEAD_LETTER_RATIO: Final = 0.01
"""More of the input that cannot be used is an incident of the producers."""
FALLBACK_RATIO: Final = 0.5
"""More slates that know nothing of their user are an incident of the state plane."""
MODEL_AGE_SECONDS: Final = 14 * 86_400.0
"""An older model was trained on another season."""
INDEX_AGE_SECONDS: Final = 7 * 86_400.0
"""A main tier that was built longer ago has not seen a compaction or a new model for a week."""
