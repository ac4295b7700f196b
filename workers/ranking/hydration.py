"""From states to queries: rows, and one pass of the user tower for the whole batch."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts import EventType, Interaction, UserState
from workers.ranking.candidates import NO_ROWS, Query, Step, places
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.model.histories import EventColumns, cut_histories
from workers.ranking.model.signals import RATING_BUCKETS

_RATING, _PURCHASE, _LIKE, _DISLIKE = (
    kind.code for kind in (EventType.RATING, EventType.PURCHASE, EventType.LIKE, EventType.DISLIKE)
)
_OWNER = 1 << 40


class _Past(NamedTuple):
    """The interactions of all users with known items, user after user; int64 (e,) but for `values`."""

    owners: Rows
    rows: Rows
    types: Rows
    times_ms: Rows
    values: npt.NDArray[np.float64]

    def of(self, kind: int) -> tuple[Rows, Rows]:
        """Return owners and rows of the interactions of one type."""
        mask = self.types == kind
        return self.owners[mask], self.rows[mask]


def hydrate(
    states: Sequence[UserState],
    generation: Generation,
    few_events: int,
    *,
    encode: bool = True,
    histories: Sequence[Sequence[Interaction]] | None = None,
) -> list[Query]:
    """Return one query a state, in order. Interactions with items that were never seen are passed over.

    Args:
        few_events: most known events of a user who counts as new.
        encode: whether there is time for the learned user vectors.
        histories: to be taken instead of those of the states.
    """
    past = _past([state.history for state in states] if histories is None else histories, generation)
    bounds = np.searchsorted(past.owners, np.arange(len(states) + 1))
    lengths = np.diff(bounds)
    vectors = dict[int, npt.NDArray[np.float32]]()
    filled = np.flatnonzero(lengths)
    if encode and len(filled):
        columns = EventColumns(past.rows, _signals(past, generation), past.times_ms)
        model = generation.model
        batch = cut_histories(columns, bounds[filled], bounds[filled + 1], model.history_length)
        vectors = dict(zip(filled.tolist(), model.user_vectors(generation.item_matrix, batch), strict=True))

    older = [generation.catalogue.rows(state.seen) for state in states]
    owners = np.repeat(np.arange(len(states)), [len(rows) for rows in older])
    seen = _by_query(np.concatenate([past.owners, owners]), np.concatenate([past.rows, *older]), len(states))
    bought = _by_query(*past.of(_PURCHASE), len(states))
    disliked = _by_query(*_disliked(past), len(states))
    steps = [_step(length, few_events) for length in lengths.tolist()]
    starts = bounds.tolist()
    return [
        Query(
            state,
            past.rows[starts[number] : starts[number + 1]],
            seen[number],
            vectors.get(number),
            steps[number],
            bought[number],
            disliked[number],
        )
        for number, state in enumerate(states)
    ]


def _step(events: int, few_events: int) -> Step:
    if not events:
        return Step.NO_HISTORY
    return Step.FEW_EVENTS if events <= few_events else Step.HISTORY


def _past(histories: Sequence[Sequence[Interaction]], generation: Generation) -> _Past:
    pasts = [past for history in histories for past in history]
    owners = np.repeat(np.arange(len(histories)), list(map(len, histories)))
    row_of, count = generation.catalogue.row_or_minus_one, len(pasts)
    rows = np.fromiter((row_of(past.item_id) for past in pasts), np.int64, count)
    known = rows >= 0
    return _Past(
        owners[known],
        rows[known],
        np.fromiter((past.event_type for past in pasts), np.int64, count)[known],
        np.fromiter((past.event_time_ms for past in pasts), np.int64, count)[known],
        np.fromiter((np.nan if past.value is None else past.value for past in pasts), np.float64, count)[known],
    )


def _signals(past: _Past, generation: Generation) -> Rows:
    """Return `signal_of` of each interaction, int64 (e,)."""
    scale = generation.model.rating_scale
    signals = past.types + RATING_BUCKETS
    rated = past.types == _RATING
    buckets = (past.values[rated] - scale.low) / (scale.high - scale.low) * RATING_BUCKETS
    signals[rated] = np.clip(buckets.astype(np.int64), 0, RATING_BUCKETS - 1)
    return signals


def _disliked(past: _Past) -> tuple[Rows, Rows]:
    """Return owners and rows of items whose newest like or dislike is a dislike."""
    opinion = np.flatnonzero((past.types == _DISLIKE) | (past.types == _LIKE))
    if not (past.types[opinion] == _DISLIKE).any():
        return NO_ROWS, NO_ROWS
    newest = opinion[::-1]
    _, first = np.unique(places(past.rows[newest], past.owners[newest]), return_index=True)
    found = newest[first]
    found = found[past.types[found] == _DISLIKE]
    return past.owners[found], past.rows[found]


def _by_query(owners: Rows, rows: Rows, queries: int) -> list[Rows]:
    """Return the rows of each query, ascending, each once."""
    if not len(rows):
        return [NO_ROWS] * queries
    pairs = np.sort(places(rows, owners))
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
    bounds = np.searchsorted(pairs, np.arange(queries + 1) * _OWNER).tolist()
    found = pairs & (_OWNER - 1)
    return [found[start:end] for start, end in pairwise(bounds)]
