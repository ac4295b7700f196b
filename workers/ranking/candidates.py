"""What travels through the pipeline: a query, its candidates, a slate."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import Reason, UserState
from workers.ranking.catalogue import Rows

Vector = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Query:
    """A user for whom a slate is wanted.

    Attributes:
        history: int64 (h,), rows of the user's known items, oldest first.
        seen: int64 (s,), rows of every known item that the user acted on.
        vector: float32 (width,), the learned user vector; None without history.
    """

    state: UserState
    history: Rows
    seen: Rows
    vector: Vector | None


class Candidates(NamedTuple):
    """Rows that may enter a slate.

    Attributes:
        rows: int64 (c,), ascending, without repetition.
        sources: uint8 (c,); bit s is set when source number s proposed the row.
    """

    rows: Rows
    sources: npt.NDArray[np.uint8]

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Candidates":
        """Return the candidates where `mask`, bool (c,), is true."""
        return Candidates(self.rows[mask], self.sources[mask])


class Slate(NamedTuple):
    """The answer to a query, best row first; all three have the same length."""

    query: Query
    rows: Rows
    scores: Scores
    reasons: list[tuple[Reason, ...]]


def union(proposals: list[Rows]) -> Candidates:
    """Return the rows that any source proposed, with the bits of all that did."""
    bits = [np.full(len(rows), 1 << number, np.uint8) for number, rows in enumerate(proposals)]
    rows, inverse = np.unique(np.concatenate(proposals), return_inverse=True)
    sources = np.zeros(len(rows), np.uint8)
    np.bitwise_or.at(sources, inverse, np.concatenate(bits))
    return Candidates(rows, sources)
