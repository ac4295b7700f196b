"""From scored candidates to places in a slate."""

import numpy as np

from workers.ranking.candidates import Scores
from workers.ranking.catalogue import Rows
from workers.ranking.metrics import NON_FINITE


def best(scores: Scores, length: int) -> Rows:
    """Return the positions of the `length` largest scores, best first; equal scores keep their order.

    A score that is not a number or infinite sinks below every other and is counted.
    """
    finite = np.isfinite(scores)
    if not finite.all():
        NON_FINITE.inc(int((~finite).sum()))
        scores = np.where(finite, scores, -np.inf)
    return np.argsort(-scores, kind="stable")[:length]
