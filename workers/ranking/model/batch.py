"""One training step's input: histories, what came next, and what each of them competes with."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.ranking.model.histories import HistoryBatch, cut_histories
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers

FULL_SOFTMAX_ITEMS: Final = 20_000
SAMPLED_NEGATIVES: Final = 4_096
_NEVER: Final = np.iinfo(np.int16).max


class Batch(NamedTuple):
    """One step's input, with items numbered within the batch.

    Attributes:
        items: int64 (m,), rows of the known items that the step needs.
        is_negative: bool (m,); the others are here as history or as a target only.
        histories: rows are places in `items`.
        targets: int64 (t,), places in `items`.
        places: int64 (t,), places of the targets' histories in the flattened (n, longest).
        events: int64 (t,), the targets' events in `Sequences`.
        seen_from: int16 (n, m), the place of a history from which on its user has seen the item.
    """

    items: Integers
    is_negative: Tensor
    histories: HistoryBatch
    targets: Tensor
    places: Tensor
    events: Integers
    seen_from: Tensor


class Negatives:
    """The items that a target competes with.

    All items that occur in the training data, up to 20,000 of them; above that 4,096 drawn uniformly for
    each step and shared by it (plain form, no correction for popularity, because uniform draws need none).
    Sampled losses were clearly worse where both fit. An item without an event in the training data is never
    a negative: nobody could have chosen it, and HR@10 of new items falls from .037 to .0005 if it is.
    """

    def __init__(self, sequences: Sequences, known_items: int, draws: np.random.Generator) -> None:
        self.trained = np.zeros(known_items, dtype=np.bool_)
        self.trained[sequences.events.rows] = True
        self._rows = np.flatnonzero(self.trained)
        self._known_items = known_items
        self._draws = draws

    def draw(self, needed: Integers) -> tuple[Integers, Tensor]:
        """Return a step's items, int64 (m,) with `needed` among them, and which are negatives, bool (m,)."""
        if self._known_items <= FULL_SOFTMAX_ITEMS:
            return np.arange(self._known_items), torch.from_numpy(self.trained)
        drawn = self._rows[self._draws.integers(len(self._rows), size=SAMPLED_NEGATIVES)]
        items = np.union1d(drawn, needed)
        return items, torch.from_numpy(np.isin(items, drawn))


def make_batch(sequences: Sequences, windows: Integers, negatives: Negatives, length: int) -> Batch:
    """Return the batch of `windows`, int64 (n, 2), [start, end) of events.

    A target is the next event after each place, unless the user has acted on its item before: a slate
    leaves such items out, so there is nothing to learn from them but as history.
    """
    starts, ends = windows.T
    histories = cut_histories(sequences.events, starts, ends - 1, length)
    column = np.arange(histories.rows.shape[1])
    following = np.minimum(starts[:, None] + column + 1, ends[:, None] - 1)
    is_target = (column < histories.lengths[:, None]) & sequences.is_first[following]
    target_rows = sequences.events.rows[following[is_target]]

    items, is_negative = negatives.draw(needed=np.concatenate([histories.rows.ravel(), target_rows]))
    return Batch(
        items=items,
        is_negative=is_negative,
        histories=histories._replace(rows=_places_of(histories.rows, items)),
        targets=torch.from_numpy(_places_of(target_rows, items)),
        places=torch.from_numpy(np.flatnonzero(is_target)),
        events=following[is_target],
        seen_from=torch.from_numpy(_seen_from(sequences, windows, items)),
    )


def _places_of(rows: Integers, items: Integers) -> Integers:
    return np.asarray(np.searchsorted(items, rows), dtype=np.int64)


def _seen_from(sequences: Sequences, windows: Integers, items: Integers) -> npt.NDArray[np.int16]:
    seen_from = np.full((len(windows), len(items)), _NEVER, dtype=np.int16)
    for line, (start, end) in zip(seen_from, windows, strict=True):
        events = np.arange(sequences.starts[start], end)
        events = events[sequences.is_first[events]]
        rows = sequences.events.rows[events]
        places = np.minimum(_places_of(rows, items), len(items) - 1)
        present = items[places] == rows
        line[places[present]] = np.maximum(events - start, -1)[present]  # -1: before the window
    return seen_from
