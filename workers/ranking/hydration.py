"""From states to queries: rows, and one pass of the user tower for the whole batch."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from streams.contracts import EventType, Interaction, UserState
from workers.ranking.candidates import NO_ROWS, Query, Step, places
from workers.ranking.catalogue import Rows
from workers.ranking.generation import Generation
from workers.ranking.model.histories import EventColumns, cut_histories
from workers.ranking.model.signals import RATING_BUCKETS
from workers.ranking.pasts import Pasts, of_histories, of_states, seen_of

_RATING, _LIKE, _DISLIKE = EventType.RATING.code, EventType.LIKE.code, EventType.DISLIKE.code
_OWNER = 1 << 40


def hydrate(
    states: Sequence[UserState],
    generation: Generation,
    few_events: int,
    *,
    encode: bool = True,
    histories: Sequence[Sequence[Interaction]] | None = None,
    contexts: Sequence[str | None] | None = None,
) -> list[Query]:
    """Return one query a state, in order. Interactions with items that were never seen are passed over.

    Args:
        few_events: most known events of a user who counts as new.
        encode: whether there is time for the learned user vectors.
        histories: to be taken instead of those of the states.
        contexts: of each slate, None where none is told; None for none at all.
    """
    catalogue = generation.catalogue
    acted = of_states(states, catalogue) if histories is None else of_histories(histories, catalogue)
    past = acted.standing()
    bounds = np.searchsorted(past.owners, np.arange(len(states) + 1))
    lengths = np.diff(bounds)
    vectors = dict[int, npt.NDArray[np.float32]]()
    signals = NO_ROWS
    filled = np.flatnonzero(lengths)
    if encode and len(filled):
        signals = _signals(past, generation)
        columns = EventColumns(past.rows, signals, past.times_ms)
        model = generation.model
        batch = cut_histories(columns, bounds[filled], bounds[filled + 1], model.history_length)
        vectors = dict(zip(filled.tolist(), model.user_vectors(generation.item_matrix, batch), strict=True))

    owners, older = seen_of(states, catalogue)
    seen = _by_query(np.concatenate([acted.owners, owners]), np.concatenate([acted.rows, older]), len(states))
    bought = _by_query(*past.of(EventType.PURCHASE), len(states))
    disliked = _by_query(*_disliked(past), len(states))
    steps = [_step(length, few_events) for length in lengths.tolist()]
    starts = bounds.tolist()
    told = contexts or [None] * len(states)
    trends = generation.trends
    return [
        Query(
            state,
            past.rows[starts[number] : starts[number + 1]],
            seen[number],
            vectors.get(number),
            steps[number],
            bought[number],
            disliked[number],
            signals[starts[number] : starts[number + 1]],
            past.times_ms[starts[number] : starts[number + 1]],
            None if context is None else trends.local(context, catalogue),
        )
        for number, (state, context) in enumerate(zip(states, told, strict=True))
    ]


def _step(events: int, few_events: int) -> Step:
    if not events:
        return Step.NO_HISTORY
    return Step.FEW_EVENTS if events <= few_events else Step.HISTORY


def _signals(past: Pasts, generation: Generation) -> Rows:
    """Return `signal_of` of each interaction, int64 (e,)."""
    scale = generation.model.rating_scale
    signals = past.types + RATING_BUCKETS
    rated = past.types == _RATING
    buckets = (past.values[rated] - scale.low) / (scale.high - scale.low) * RATING_BUCKETS
    signals[rated] = np.clip(buckets.astype(np.int64), 0, RATING_BUCKETS - 1)
    return signals


def _disliked(past: Pasts) -> tuple[Rows, Rows]:
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
