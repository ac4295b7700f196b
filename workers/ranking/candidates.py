"""What travels through the pipeline: queries, the candidates of a whole batch, slates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import Reason, UserState
from workers.ranking.catalogue import Mask, Rows
from workers.ranking.local_trends import Local

Vector = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint32]
NO_ROWS: Rows = np.zeros(0, np.int64)
MOST_SOURCES = 32
OWNER_SHIFT = 40
"""Bits of a row in a number that also holds its query; see `places`."""


def _no_rows() -> Rows:
    return NO_ROWS


class Step(StrEnum):
    """How much is known of a user; decides which sources are asked, and is a reason's code in each slate."""

    NO_HISTORY = "no_history"
    FEW_EVENTS = "few_events"
    HISTORY = "history"


@dataclass(frozen=True, eq=False)
class Query:
    """A user for whom a slate is wanted.

    Attributes:
        history: int64 (h,), rows of the user's known items, oldest first.
        seen: int64 (s,), rows of every known item that the user acted on, ascending, each once.
        vector: float32 (width,), the learned user vector; None without history, or where there was no time.
        bought: int64, rows that the user bought, as far as the history goes.
        disliked: int64, rows that the user's newest opinion was a dislike of.
        signals: int64 (h,), `signal_of` of each event of `history`; empty where there was no time.
        times_ms: int64 (h,), milliseconds since the epoch, of each event of `history`.
        local: what is done lately in the context that the slate is for; None where none is told or known.
    """

    state: UserState
    history: Rows
    seen: Rows
    vector: Vector | None
    step: Step = Step.HISTORY
    bought: Rows = field(default_factory=_no_rows)
    disliked: Rows = field(default_factory=_no_rows)
    signals: Rows = field(default_factory=_no_rows)
    times_ms: Rows = field(default_factory=_no_rows)
    local: Local | None = None


class Candidates(NamedTuple):
    """Rows that may enter the slates of a batch, query after query.

    Attributes:
        rows: int64 (c,), ascending within a query, without repetition there.
        owners: int64 (c,), ascending; the number of the query that the row is a candidate of.
        sources: uint32 (c,); bit s is set when source number s proposed the row.
        merits: float32 (c,); how early the sources named the row, see `union`; infinite for what must stay.
    """

    rows: Rows
    owners: Rows
    sources: Bits
    merits: Scores

    def keep(self, mask: Mask) -> "Candidates":
        """Return the candidates where `mask`, bool (c,), is true."""
        return Candidates(self.rows[mask], self.owners[mask], self.sources[mask], self.merits[mask])

    def best(self, most: int, queries: int) -> "Candidates":
        """Return the `most` candidates of largest merit of each of `queries` queries; equal ones by row."""
        mask = np.ones(len(self.rows), np.bool_)
        for span in self.spans(queries):
            if span.stop - span.start > most:
                last = np.partition(self.merits[span], -most)[-most]
                over = self.merits[span] > last
                equal = np.flatnonzero(self.merits[span] == last)
                over[equal[: most - int(over.sum())]] = True
                mask[span] = over
        return self if mask.all() else self.keep(mask)

    def spans(self, queries: int) -> list[slice]:
        """Return where the candidates of each of `queries` queries are."""
        bounds = np.searchsorted(self.owners, np.arange(queries + 1)).tolist()
        return [slice(start, end) for start, end in pairwise(bounds)]


class Scored(NamedTuple):
    """Scores of candidates.

    Attributes:
        scores: float32 (c,); higher is better.
        parts: by name, float32 (c,); they add up to the score.
    """

    scores: Scores
    parts: Mapping[str, Scores]


class Slate(NamedTuple):
    """The answer to a query, best row first; all but the last have the same length.

    Attributes:
        parts: what each score is made of; empty where nobody asked.
        degraded: what had to be left out to keep the deadline; None for nothing.
    """

    query: Query
    rows: Rows
    scores: Scores
    reasons: list[tuple[Reason, ...]]
    parts: Sequence[dict[str, float]] = ()
    degraded: str | None = None


def places(rows: Rows, owners: Rows) -> Rows:
    """Return one number for each pair of query and row, in the order of the pairs; int64 (c,)."""
    return (owners << OWNER_SHIFT) | rows


def among(candidates: Candidates, rows: Iterable[Rows]) -> Mask:
    """Return whether each candidate is among its own query's `rows`, bool (c,).

    Args:
        rows: of each query, in any order.
    """
    lists = list(rows)
    wanted = places(np.concatenate([NO_ROWS, *lists]), np.repeat(np.arange(len(lists)), list(map(len, lists))))
    wanted.sort()
    return member(places(candidates.rows, candidates.owners), wanted)


def member(rows: Rows, ascending: Rows) -> Mask:
    """Return whether each of `rows` occurs in `ascending`; five times as fast as `np.isin` at these sizes."""
    if not len(ascending):
        return np.zeros(len(rows), np.bool_)
    at = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    found: Mask = ascending[at] == rows
    return found
