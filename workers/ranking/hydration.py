"""From states to queries: rows, and one pass of the user tower for the whole batch."""

from collections.abc import Sequence

import numpy as np

from streams.contracts import Interaction, UserState
from workers.ranking.candidates import Query, Vector
from workers.ranking.generation import Generation
from workers.ranking.model.histories import build_histories
from workers.ranking.model.signals import signal_of


def hydrate(states: Sequence[UserState], generation: Generation) -> list[Query]:
    """Return one query a state, in order. Interactions with items that were never seen are passed over."""
    known = [_known(state.history, generation) for state in states]
    filled = [number for number, steps in enumerate(known) if steps]
    vectors = {}
    if filled:
        model, scale = generation.model, generation.model.rating_scale
        histories = build_histories(
            [
                [
                    (row, signal_of(past.event_type, past.value, scale.low, scale.high), past.event_time_ms)
                    for row, past in known[number]
                ]
                for number in filled
            ],
            model.history_length,
        )
        encoded = model.user_vectors(generation.item_matrix, histories)
        vectors = dict(zip(filled, encoded, strict=True))
    return [
        _query(state, [row for row, _ in steps], vectors.get(number), generation)
        for number, (state, steps) in enumerate(zip(states, known, strict=True))
    ]


def _known(history: Sequence[Interaction], generation: Generation) -> list[tuple[int, Interaction]]:
    rows = ((generation.catalogue.row(past.item_id), past) for past in history)
    return [(row, past) for row, past in rows if row is not None]


def _query(state: UserState, history: list[int], vector: Vector | None, generation: Generation) -> Query:
    older = generation.catalogue.rows(state.seen)
    rows = np.asarray(history, np.int64)
    return Query(state, rows, np.union1d(older, rows), vector)
