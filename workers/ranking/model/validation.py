"""How well the towers foretell what comes after the data that they learned from."""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from workers.ranking.evaluation.metrics import Ranks, ranks_of
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.towers import TwoTowers

Scores = npt.NDArray[np.float32]

_AT_ONCE: Final = 250
_SCORES_AT_ONCE: Final = 32_000_000
"""Numbers in one block of scores: 250 questions over a million items would be a gigabyte, several times over."""


class Validation:
    """Events after a moment, each to be foretold from everything before it; items already seen are left out.

    A user's first event and repeats of an item are not asked for.

    Args:
        sequences: all events.
        since_ms: milliseconds since the epoch.
        most: events asked for; more are sampled.
        draws: of the sample.
    """

    def __init__(self, sequences: Sequences, since_ms: int, most: int, draws: np.random.Generator) -> None:
        later = sequences.events.times_ms >= since_ms
        has_history = sequences.starts < np.arange(len(later))
        asked = np.flatnonzero(later & has_history & sequences.is_first)
        asked = np.sort(draws.permutation(asked)[:most])
        self.asked: Integers = asked[np.argsort(asked - sequences.starts[asked], kind="stable")]  # less is padding
        self._sequences = sequences

    @torch.inference_mode()
    def ranks(self, towers: TwoTowers, item_vectors: torch.Tensor) -> Ranks:
        """Return the rank of each event's item, float64 (asked,); `item_vectors` is (known items, width).

        Towers and vectors are on one device; ranks are counted on the CPU.
        """
        parts, device = [], item_vectors.device
        for events in self._parts(len(item_vectors)):
            starts = self._sequences.starts[events]
            histories = cut_histories(self._sequences.events, starts, events, towers.shape.history_length)
            rows, signals, gaps, lengths = (torch.from_numpy(column).to(device) for column in histories)
            users = towers.user.newest(item_vectors[rows], signals, gaps, lengths)
            parts.append(self._ranks(events, (users @ item_vectors.T).cpu().numpy()))
        return np.concatenate(parts) if parts else np.empty(0)

    def ranks_of_fixed(self, scores: Scores) -> Ranks:
        """Return the ranks when every user gets the same `scores`, float32 (known items,)."""
        parts = [self._ranks(events, np.tile(scores, (len(events), 1))) for events in self._parts(len(scores))]
        return np.concatenate(parts) if parts else np.empty(0)

    def _parts(self, items: int) -> list[Integers]:
        size = max(1, min(_AT_ONCE, _SCORES_AT_ONCE // max(1, items)))
        return [self.asked[first : first + size] for first in range(0, len(self.asked), size)]

    def _ranks(self, events: Integers, scores: Scores) -> Ranks:
        rows = self._sequences.events.rows
        for line, event in zip(scores, events, strict=True):
            line[rows[self._sequences.starts[event] : event]] = -np.inf
        return ranks_of(scores, rows[events])
