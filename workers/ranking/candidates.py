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
_NO_MERITS: Scores = np.zeros(0, np.float32)
MOST_SOURCES = 32
_FIRST_PLACES = 450
"""Added to a place, so that the first few of one source do not outweigh what several sources name."""
_MOST_BINS = 8
"""So many bins for each row that is named are quicker than sorting the rows."""
_OWNER_SHIFT, _ROW_SHIFT = 45, 5
_BIT_MASK = (1 << _ROW_SHIFT) - 1
_ROW_MASK = (1 << (_OWNER_SHIFT - _ROW_SHIFT)) - 1


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


def union(proposals: Sequence[Sequence[Rows]], weights: Sequence[float] | None = None) -> Candidates:
    """Return the rows that any source proposed for each query, with the bits of all that did.

    A row's merit is the sum over the sources that named it of weight / (450 + place), places from 0: reciprocal
    rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), which needs no common scale of scores.

    Args:
        proposals: one list a source, at most 32 of them; each with the rows of each query, best first. A row that
            is there twice counts twice.
        weights: of each source; None weighs all alike.
    """
    weights = [1.0] * len(proposals) if weights is None else weights
    named = [np.concatenate([NO_ROWS, *rows]) for rows in proposals]
    queries = max(map(len, proposals), default=0)
    owners = [np.repeat(np.arange(len(rows)), list(map(len, rows))) for rows in proposals]
    merits = np.concatenate([_NO_MERITS, *map(_merits, proposals, weights)])
    width = max((int(rows.max()) + 1 for rows in named if len(rows)), default=0)
    if queries * width <= _MOST_BINS * len(merits):
        return _in_bins(named, owners, merits, queries * width, width)
    return _sorted(named, owners, merits)


def _in_bins(named: Sequence[Rows], owners: Sequence[Rows], merits: Scores, bins: int, width: int) -> Candidates:
    """Gather what was named in an array with a bin for each pair of query and row."""
    at = [of * width + rows for of, rows in zip(owners, named, strict=True)]
    bits = np.zeros(bins, np.uint32)
    for source, places in enumerate(at):
        bits[places] |= np.uint32(1 << source)
    found = np.flatnonzero(bits)
    if not len(found):
        return Candidates(NO_ROWS, NO_ROWS, np.zeros(0, np.uint32), _NO_MERITS)
    sums = np.bincount(np.concatenate(at), merits, minlength=bins)[found].astype(np.float32)
    of = found // width
    return Candidates(found - of * width, of, bits[found], sums)


def _sorted(named: Sequence[Rows], owners: Sequence[Rows], merits: Scores) -> Candidates:
    """Gather what was named by sorting it: few of many rows."""
    pairs = zip(named, owners, strict=True)
    keys = np.concatenate([places(rows, of) << _ROW_SHIFT | source for source, (rows, of) in enumerate(pairs)])
    # Owner before row before source, in one number.
    order = np.argsort(keys)
    keys, merits = keys[order], merits[order]
    at = keys >> _ROW_SHIFT
    starts = np.flatnonzero(np.append(True, at[1:] != at[:-1]))
    bits = np.left_shift(np.uint32(1), (keys & _BIT_MASK).astype(np.uint32))
    found = at[starts]
    return Candidates(
        found & _ROW_MASK,
        found >> (_OWNER_SHIFT - _ROW_SHIFT),
        np.bitwise_or.reduceat(bits, starts),
        np.add.reduceat(merits, starts),
    )


def places(rows: Rows, owners: Rows) -> Rows:
    """Return one number for each pair of query and row, in the order of the pairs; int64 (c,)."""
    return (owners << (_OWNER_SHIFT - _ROW_SHIFT)) | rows


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


def _merits(rows: Sequence[Rows], weight: float) -> Scores:
    longest = max(map(len, rows), default=0)
    by_place = (weight / (_FIRST_PLACES + np.arange(longest))).astype(np.float32)
    return np.concatenate([_NO_MERITS, *(by_place[: len(part)] for part in rows)])
