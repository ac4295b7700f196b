"""A source, a filter and a scorer, each in its shortest form."""

from collections.abc import Sequence

import numpy as np

from streams.settings.ranking import RankingSettings
from workers.ranking.candidates import Candidates, Query, Scored
from workers.ranking.catalogue import Mask, Rows
from workers.ranking.filters import Filter
from workers.ranking.generation import Generation


def alphabetical(queries: Sequence[Query], generation: Generation, settings: RankingSettings) -> list[Rows]:
    """Propose the ten last items by id to everybody."""
    ids = sorted(entry.item_id for entry in generation.catalogue)
    return [generation.catalogue.rows(ids[-10:])] * len(queries)


def keep_even(queries: Sequence[Query], candidates: Candidates, generation: Generation, now_ms: int) -> Mask:
    """Keep items with an even row."""
    kept: Mask = candidates.rows % 2 == 0
    return kept


EVEN = Filter("even", keep_even, "its number is odd")


class Cheapest:
    """Scores by the number of the row, the smallest first; made once, when the worker starts."""

    def __call__(self, queries: Sequence[Query], candidates: Candidates, generation: Generation) -> Scored:
        """Return the scores."""
        scores = -candidates.rows.astype(np.float32)
        return Scored(scores, {"cheap": scores})
