"""Histories as the user tower reads them; training and serving build them here and nowhere else."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workers.ranking.model.signals import NO_GAP, Integers, gap_bucket

Step = tuple[int, int, int]
"""Row of the item in an item matrix, signal, event time in milliseconds since the epoch."""


class HistoryBatch(NamedTuple):
    """The newest events of n users, oldest first from the left; zeros fill up on the right.

    Nothing here is later than the newest event of the history: when a slate is made nobody knows
    when the user will act next, and a model that is told so in training is measured .005 too well.

    Attributes:
        rows: int64 (n, longest), rows of an item matrix.
        signals: int64 (n, longest), see `signal_of`.
        gaps: int64 (n, longest), `gap_bucket` of the time since the event before.
        lengths: int64 (n,), events of each history; 0 is a user of whom nothing is known.
    """

    rows: Integers
    signals: Integers
    gaps: Integers
    lengths: Integers


class EventColumns(NamedTuple):
    """Events of many users, one user after the other, each user's by time.

    Attributes:
        rows: int64 (e,), rows of an item matrix.
        signals: int64 (e,).
        times_ms: int64 (e,), milliseconds since the epoch.
    """

    rows: Integers
    signals: Integers
    times_ms: Integers


def build_histories(sequences: Sequence[Sequence[Step]], length: int) -> HistoryBatch:
    """Return the last `length` events of each sequence.

    Args:
        sequences: one a user, oldest event first.
        length: most events kept, >= 1; the `history_length` that the model was trained with.
    """
    lengths = np.array([min(len(sequence), length) for sequence in sequences], dtype=np.int64)
    steps = [step for sequence in sequences for step in sequence[-length:]]
    rows, signals, times_ms = np.array(steps, dtype=np.int64).reshape(-1, 3).T
    ends = np.cumsum(lengths)
    return cut_histories(EventColumns(rows, signals, times_ms), ends - lengths, ends, length)


def cut_histories(events: EventColumns, starts: Integers, ends: Integers, length: int) -> HistoryBatch:
    """Return the last `length` of events [start, end) for each pair; a pair stays within one user."""
    starts = np.maximum(starts, ends - length)
    lengths = ends - starts
    column = np.arange(lengths.max(initial=0))
    present = column < lengths[:, None]
    places = np.where(present, starts[:, None] + column, 0)

    gaps = np.full(places.shape, NO_GAP, dtype=np.int64)
    gaps[:, 1:] = gap_bucket(np.diff(events.times_ms[places], axis=1))
    return HistoryBatch(
        rows=events.rows[places] * present,
        signals=events.signals[places] * present,
        gaps=gaps * present,
        lengths=lengths,
    )
