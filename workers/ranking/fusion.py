"""What several sources propose for the same queries becomes one set of candidates with merits."""

from collections.abc import Sequence

import numpy as np

from workers.ranking.candidates import NO_ROWS, OWNER_SHIFT, Candidates, Scores, places
from workers.ranking.catalogue import Rows

_NO_MERITS: Scores = np.zeros(0, np.float32)
_FIRST_PLACES = 450
"""Added to a place, so that the first few of one source do not outweigh what several sources name."""
_MOST_BINS = 8
"""So many bins for each row that is named are quicker than sorting the rows."""
_SOURCE_SHIFT = 5
_SOURCE_MASK = (1 << _SOURCE_SHIFT) - 1
_ROW_MASK = (1 << OWNER_SHIFT) - 1


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
    for source, of_source in enumerate(at):
        bits[of_source] |= np.uint32(1 << source)
    found = np.flatnonzero(bits)
    if not len(found):
        return Candidates(NO_ROWS, NO_ROWS, np.zeros(0, np.uint32), _NO_MERITS)
    sums = np.bincount(np.concatenate(at), merits, minlength=bins)[found].astype(np.float32)
    of = found // width
    return Candidates(found - of * width, of, bits[found], sums)


def _sorted(named: Sequence[Rows], owners: Sequence[Rows], merits: Scores) -> Candidates:
    """Gather what was named by sorting it: few of many rows."""
    pairs = zip(named, owners, strict=True)
    keys = np.concatenate([places(rows, of) << _SOURCE_SHIFT | source for source, (rows, of) in enumerate(pairs)])
    # Owner before row before source, in one number.
    order = np.argsort(keys)
    keys, merits = keys[order], merits[order]
    at = keys >> _SOURCE_SHIFT
    starts = np.flatnonzero(np.append(True, at[1:] != at[:-1]))
    bits = np.left_shift(np.uint32(1), (keys & _SOURCE_MASK).astype(np.uint32))
    found = at[starts]
    return Candidates(
        found & _ROW_MASK,
        found >> OWNER_SHIFT,
        np.bitwise_or.reduceat(bits, starts),
        np.add.reduceat(merits, starts),
    )


def _merits(rows: Sequence[Rows], weight: float) -> Scores:
    longest = max(map(len, rows), default=0)
    by_place = (weight / (_FIRST_PLACES + np.arange(longest))).astype(np.float32)
    return np.concatenate([_NO_MERITS, *(by_place[: len(part)] for part in rows)])
