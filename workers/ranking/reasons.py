"""Why each item is in a slate, in terms that are true of how it got there."""

import numpy as np
import numpy.typing as npt

from streams.contracts import Reason
from workers.ranking.candidates import Query
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.sources import SOURCES

NO_HISTORY = Reason("no_history")
_BY_SOURCE = tuple(Reason(source.name) for source in SOURCES)


def reasons(
    query: Query, rows: Rows, sources: npt.NDArray[np.uint8], generation: Generation
) -> list[tuple[Reason, ...]]:
    """Return the reasons of each row: the sources that proposed it, and the user's own item nearest to it.

    "Nearest" is by cosine between learned item vectors.
    """
    proposed = [
        tuple(reason for number, reason in enumerate(_BY_SOURCE) if bits >> number & 1)
        for bits in sources.tolist()
    ]
    if query.vector is None:
        return [(NO_HISTORY, *given) for given in proposed]
    nearest = _nearest_own(query, rows, generation)
    ids = [generation.catalogue[row].item_id for row in nearest]
    return [(*given, Reason("similar_item", own)) for given, own in zip(proposed, ids, strict=True)]


def _nearest_own(query: Query, rows: Rows, generation: Generation) -> list[int]:
    shown, own = generation.item_matrix[rows], generation.item_matrix[query.history]
    own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    found: list[int] = query.history[np.argmax(shown @ own.T, axis=1)].tolist()
    return found
