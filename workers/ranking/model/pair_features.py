"""Features of candidates before events of the training data."""

import numpy as np

from workers.ranking.model.evidence import Counted
from workers.ranking.model.features import features
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers


def pair_features(
    counted: Counted, sequences: Sequences, events: Integers, items: Integers, *, crossed: bool
) -> Matrix:
    """Return the features, float32 (n · c, …), of candidates `items` (n, c) before each of `events` (n,)."""
    owners = np.repeat(np.arange(len(events)), items.shape[1])
    as_of = counted.trends.as_of(sequences.events.times_ms[np.maximum(events - 1, sequences.starts[events])])
    pairs = counted.pairs(owners, items.ravel(), as_of[owners])
    evidence = counted.crossed if crossed else counted.whole
    return features(
        evidence, len(counted.texts), counted.texts, counted.trails(sequences, events, crossed=crossed), pairs
    )
