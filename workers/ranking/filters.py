"""What may not be shown. A filter says which rows to keep; the pipeline counts what it removed, by name."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from workers.ranking.candidates import Query
from workers.ranking.catalogue import Mask, Rows


class Filter(NamedTuple):
    """A named rule; `keep(query, rows, live)` returns bool (c,)."""

    name: str
    keep: Callable[[Query, Rows, Mask], Mask]


def not_seen(query: Query, rows: Rows, live: Mask) -> Mask:
    """Keep what the user has not acted on."""
    return np.isin(rows, query.seen, invert=True)


def is_live(query: Query, rows: Rows, live: Mask) -> Mask:
    """Keep what is in the catalogue, available and not expired."""
    return live[rows]


SEEN = Filter("seen", not_seen)
UNAVAILABLE = Filter("unavailable", is_live)
