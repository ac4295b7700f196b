"""Why each item is in a slate, in terms that are true of how it got there."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from streams.contracts import Reason
from workers.ranking.candidates import Bits, Query
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation

Given = tuple[Reason, ...]
_TRENDING = "trending"


class Reasons:
    """Words for the sources that a pipeline asks, in the order of the bits of `Candidates.sources`."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._by_source = tuple(Reason(name) for name in sources)
        self._by_bits: dict[int, Given] = {}

    def of(self, query: Query, rows: Rows, sources: Bits, generation: Generation) -> list[Given]:
        """Return the reasons of each row.

        They are the user's rung of the cold-start ladder, the sources that proposed the row (`trending` with the
        context where it rises in that), and the user's own item nearest to it, by cosine between learned item
        vectors.
        """
        proposed = [self._proposed(bits) for bits in sources.tolist()]
        if query.local is not None:
            rose, context = query.local.rose(rows).tolist(), query.local.context
            proposed = [_in(context, given) if here else given for given, here in zip(proposed, rose, strict=True)]
        rung = _rung(query.step)
        if not len(query.history):
            return [(rung, *given) for given in proposed]
        ids = [generation.catalogue.item_id(row) for row in _nearest_own(query, rows, generation)]
        return [(rung, *given, Reason("similar_item", own)) for given, own in zip(proposed, ids, strict=True)]

    def _proposed(self, bits: int) -> Given:
        if bits not in self._by_bits:
            self._by_bits[bits] = tuple(
                reason for number, reason in enumerate(self._by_source) if bits >> number & 1
            )
        return self._by_bits[bits]


def _in(context: str, given: Given) -> Given:
    return tuple(Reason(_TRENDING, context=context) if reason.code == _TRENDING else reason for reason in given)


@cache
def _rung(step: str) -> Reason:
    return Reason(step)


def _nearest_own(query: Query, rows: Rows, generation: Generation) -> list[int]:
    likeness = generation.item_matrix[rows] @ generation.item_matrix[query.history].T
    found: list[int] = query.history[np.argmax(likeness / generation.norms[query.history], axis=1)].tolist()
    return found
