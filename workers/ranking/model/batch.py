"""One training step's input: histories, what came next, and what each of them competes with."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streams.settings.training import TrainingSettings
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers

_NEVER: Final = np.iinfo(np.int16).max


class Batch(NamedTuple):
    """One step's input, with items numbered within the batch.

    Attributes:
        sampled: whether the negatives are a sample.
        items: int64 (m,), rows of the known items that the step needs.
        is_negative: bool (m,); the others are here as history or as a target only.
        log_inclusion: float32 (m,), the logarithm of the chance that a negative is among them; 0 for all without
            sampling.
        rows: int64 (n, longest), of `HistoryBatch`, as places in `items`.
        signals: int64 (n, longest), of `HistoryBatch`.
        gaps: int64 (n, longest), of `HistoryBatch`.
        targets: int64 (t,), places in `items`.
        places: int64 (t,), places of the targets' histories in the flattened (n, longest).
        seen_from: int16 (n, m), the place of a history from which on its user has seen the item.
    """

    sampled: bool
    items: Tensor
    is_negative: Tensor
    log_inclusion: Tensor
    rows: Tensor
    signals: Tensor
    gaps: Tensor
    targets: Tensor
    places: Tensor
    seen_from: Tensor

    def on(self, device: torch.device) -> "Batch":
        """Return the batch on that device; an NVIDIA GPU takes it while it still works at the step before."""
        columns = self[1:]
        if device.type == "cuda":
            columns = tuple(column.pin_memory() for column in columns)
        return Batch(self.sampled, *(column.to(device, non_blocking=device.type == "cuda") for column in columns))


class Negatives:
    """The items that a target competes with.

    All items that occur in the training data, up to `training.full_softmax_items` of them; above that
    `sampled_negatives` draws for each step, shared by it, in proportion to a power of popularity. Each counts
    by one over its chance to be among them (Horvitz and Thompson 1952), so that the sum over the sample is on
    average the sum over all: the logQ correction. Sampled losses were clearly worse where both fit.
    `training.loss` may ask for the one or the other at any size.

    An item without an event in the training data is never a negative: nobody could have chosen it, and HR@10
    of new items falls from .037 to .0005 if it is.
    """

    def __init__(
        self,
        sequences: Sequences,
        known_items: int,
        draws: np.random.Generator,
        settings: TrainingSettings | None = None,
    ) -> None:
        settings = settings or TrainingSettings()
        taken = np.bincount(sequences.events.rows, minlength=known_items)
        self.trained = taken > 0
        self._rows = np.flatnonzero(self.trained)
        self._draws, self._count = draws, settings.sampled_negatives
        fits = known_items <= settings.full_softmax_items
        self.sampled = {"softmax": False, "sampled_softmax": True}.get(settings.loss, not fits)
        shares = taken[self._rows].astype(np.float64) ** settings.sampling_exponent
        shares /= max(shares.sum(), 1.0)
        self._edges = np.cumsum(shares)
        with np.errstate(divide="ignore"):
            never = self._count * np.log1p(-shares)
        self._log_inclusion = np.log(-np.expm1(never)).astype(np.float32)

    def draw(self, needed: Integers) -> tuple[Integers, Tensor, Tensor]:
        """Return a step's items, which of them are negatives, and the negatives' chance to be there.

        Returns:
            int64 (m,), ascending, with `needed` among them; bool (m,); float32 (m,), logarithms.
        """
        if not self.sampled:
            return np.arange(len(self.trained)), torch.from_numpy(self.trained), torch.zeros(len(self.trained))
        places = np.searchsorted(self._edges, self._draws.random(self._count) * self._edges[-1], side="right")
        drawn = np.unique(np.minimum(places, len(self._rows) - 1))
        items = np.union1d(self._rows[drawn], needed)
        log_inclusion = np.zeros(len(items), np.float32)
        at = np.searchsorted(items, self._rows[drawn])
        log_inclusion[at] = self._log_inclusion[drawn]
        is_negative = np.zeros(len(items), np.bool_)
        is_negative[at] = True
        return items, torch.from_numpy(is_negative), torch.from_numpy(log_inclusion)


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

    items, is_negative, log_inclusion = negatives.draw(
        needed=np.concatenate([histories.rows.ravel(), target_rows])
    )
    return Batch(
        sampled=negatives.sampled,
        items=torch.from_numpy(items),
        is_negative=is_negative,
        log_inclusion=log_inclusion,
        rows=torch.from_numpy(_places_of(histories.rows, items)),
        signals=torch.from_numpy(histories.signals),
        gaps=torch.from_numpy(histories.gaps),
        targets=torch.from_numpy(_places_of(target_rows, items)),
        places=torch.from_numpy(np.flatnonzero(is_target)),
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
