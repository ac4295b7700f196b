"""Passes of the towers over their data, batch by batch."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from streams.errors import DataError
from streams.settings.training import TrainingSettings
from workers.ranking.model.batch import Batch, Negatives, make_batch
from workers.ranking.model.descent import Pace
from workers.ranking.model.learner import Learner, mean_of
from workers.ranking.model.objective import forward, next_item_loss
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.towers import TwoTowers
from workers.ranking.model.windows import batches, cut_windows

LEAST_STEPS: Final = 16
"""Of an epoch; a small data set is cut into smaller batches."""
_PRECISIONS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Passes:
    """The data of one stage of the towers.

    Args:
        text_vectors: float32 (known items, text_dimension), on the device of the towers.
        past: the events to learn from; rows count the known items.
        towers: that learn.

    Raises:
        DataError: no user has two events.
    """

    def __init__(
        self,
        text_vectors: Tensor,
        past: Sequences,
        settings: TrainingSettings,
        towers: TwoTowers,
        draws: np.random.Generator,
    ) -> None:
        self._text_vectors, self._events, self._draws = text_vectors, past, draws
        self._towers, self._length, self._settings = towers, towers.shape.history_length, settings
        self._identities = torch.arange(1, len(text_vectors) + 1, device=text_vectors.device)
        self._negatives = Negatives(past, len(text_vectors), draws, settings)
        with torch.no_grad():  # an identity that no event has taught is noise; as zeros it is the text alone
            untaught = torch.from_numpy(~self._negatives.trained).to(text_vectors.device)
            towers.item.identity.weight[1:][untaught] = 0
        windows = cut_windows(past, self._length, np.random.default_rng(settings.seed))
        if not len(windows):
            raise DataError(
                f"No user has two events before the newest {settings.validation_share:.0%} of the time line.",
                "collect events of more days before training.",
            )
        self._batch_windows = min(settings.batch_windows, math.ceil(len(windows) / LEAST_STEPS))
        self._steps_an_epoch = math.ceil(len(windows) / self._batch_windows)

    def pace(self, epochs: int) -> Pace:
        """Return how fast weights move in so many epochs."""
        return Pace(epochs * self._steps_an_epoch, self._settings.weight_decay, self._settings.accumulate)

    @torch.inference_mode()
    def item_vectors(self, towers: TwoTowers) -> Tensor:
        """Return the known items' vectors by towers in evaluation mode, float32 (known items, width)."""
        vectors: Tensor = towers.item(self._text_vectors, self._identities)
        return vectors

    def epoch(self, learner: Learner[nn.Module]) -> float:
        """Go once over the data and return the mean loss, nats."""
        learner.module.train()
        losses = []
        precision = _PRECISIONS[self._settings.precision]
        for batch in self._batches():
            logits = forward(self._towers, self._text_vectors, self._identities, batch, precision)
            loss = next_item_loss(logits, batch, self._settings.loss)
            learner.learn(loss)
            losses.append(loss.detach())
        learner.finish()
        return mean_of(losses)

    def _batches(self) -> Iterator[Batch]:
        past, draws = self._events.reordered(self._draws), self._draws
        for windows in batches(cut_windows(past, self._length, draws), self._batch_windows, draws):
            batch = make_batch(past, windows, self._negatives, self._length)
            if len(batch.targets):
                yield batch.on(self._text_vectors.device)
