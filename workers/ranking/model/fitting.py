"""The training loop: steps, the moving average of weights, and when to stop."""

import copy
import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from streams.errors import DataError
from streams.settings.ranking import TrainingSettings
from workers.ranking.evaluation.metrics import Ranks, hit_rate_at, ndcg_at
from workers.ranking.model.batch import Negatives, make_batch
from workers.ranking.model.catalogue import count_items
from workers.ranking.model.objective import next_item_loss
from workers.ranking.model.schedule import average_decay, learning_rate
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.towers import TwoTowers
from workers.ranking.model.validation import Validation
from workers.ranking.model.windows import batches, cut_windows

VALIDATION_SHARE: Final = 0.05
VALIDATION_EVENTS: Final = 3_000
CUT_OFF: Final = 10
LEAST_STEPS: Final = 16
"""Of an epoch; a small data set is cut into smaller batches."""
_LARGEST_GRADIENT: Final = 1.0


class Epoch(NamedTuple):
    """How training stands after a pass over the data.

    Attributes:
        number: of this epoch, from 1.
        most: epochs at most.
        loss: mean of the epoch, nats.
        ndcg: validation NDCG@10 of the averaged weights, or None where this epoch was not measured.
    """

    number: int
    most: int
    loss: float
    ndcg: float | None


def fit(
    towers: TwoTowers,
    text_vectors: Tensor,
    sequences: Sequences,
    settings: TrainingSettings,
    progress: Callable[[Epoch], None],
) -> tuple[TwoTowers, dict[str, float]]:
    """Return trained towers and what the validation measured; see `train`.

    Args:
        towers: fresh; they are trained in place, and the average of their weights is what comes back.
        text_vectors: float32 (known items, text_dimension).
        sequences: rows count the known items.
        settings: duration, speed and seed.
        progress: called after every epoch.

    Raises:
        DataError: nothing is left to learn from before the validation events.
    """
    cut_ms = int(np.quantile(sequences.events.times_ms, 1 - VALIDATION_SHARE, method="nearest"))
    past = sequences.before(cut_ms)
    draws = np.random.default_rng(settings.seed)
    validation = Validation(sequences, cut_ms, VALIDATION_EVENTS, draws)
    run = _Run(towers, text_vectors, past, settings, draws)

    best, best_ndcg, best_epoch, misses = copy.deepcopy(run.average), -1.0, 0, 0
    for number in range(1, settings.epochs + 1):
        loss, ndcg = run.epoch(), None
        if number % settings.evaluate_every == 0 or number == settings.epochs:
            ndcg = ndcg_at(CUT_OFF, validation.ranks(run.average, run.item_vectors()))
            if ndcg > best_ndcg:
                best, best_ndcg, best_epoch, misses = copy.deepcopy(run.average), ndcg, number, 0
            else:
                misses += 1
        progress(Epoch(number, settings.epochs, loss, ndcg))
        if misses >= settings.patience:
            break
    run.average = best
    popular = count_items(
        [str(row) for row in range(len(text_vectors))], past.events.rows, past.events.times_ms, cut_ms
    ).popularity
    measured = _measure("validation", validation.ranks(best, run.item_vectors()))
    baseline = _measure("validation_popularity", validation.ranks_of_fixed(popular))
    return best, measured | baseline | {"validation_events": len(validation.asked), "epochs": best_epoch}


def _measure(prefix: str, ranks: Ranks) -> dict[str, float]:
    return {
        f"{prefix}_ndcg_at_{CUT_OFF}": ndcg_at(CUT_OFF, ranks),
        f"{prefix}_hit_rate_at_{CUT_OFF}": hit_rate_at(CUT_OFF, ranks),
    }


class _Run:
    """Weights that learn, and the average of them that follows."""

    def __init__(
        self,
        towers: TwoTowers,
        text_vectors: Tensor,
        past: Sequences,
        settings: TrainingSettings,
        draws: np.random.Generator,
    ) -> None:
        self.towers = towers
        self._text_vectors, self._past, self._settings, self._draws = text_vectors, past, settings, draws
        self._identities = torch.arange(1, len(text_vectors) + 1)
        self._negatives = Negatives(past, len(text_vectors), draws)
        with torch.no_grad():  # an identity that no event has taught is noise; as zeros it is the text alone
            self.towers.item.identity.weight[1:][torch.from_numpy(~self._negatives.trained)] = 0
        self.average = copy.deepcopy(self.towers).eval()
        self._optimizer = torch.optim.AdamW(
            self.towers.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._step = 0
        windows = cut_windows(past, towers.shape.history_length, np.random.default_rng(settings.seed))
        if not len(windows):
            raise DataError(
                "No user has two events before the newest 5 % of the time line.",
                "collect events of more days before training.",
            )
        self._batch_windows = min(settings.batch_windows, math.ceil(len(windows) / LEAST_STEPS))
        self._steps = settings.epochs * math.ceil(len(windows) / self._batch_windows)

    @torch.inference_mode()
    def item_vectors(self) -> Tensor:
        """Return the known items' vectors by the average, float32 (known items, width)."""
        vectors: Tensor = self.average.item(self._text_vectors, self._identities)
        return vectors

    def epoch(self) -> float:
        """Go once over the data and return the mean loss, nats."""
        self.towers.train()
        length = self.towers.shape.history_length
        losses = []
        cut = cut_windows(self._past, length, self._draws)
        for windows in batches(cut, self._batch_windows, self._draws):
            batch = make_batch(self._past, windows, self._negatives, length)
            if len(batch.targets):
                loss = next_item_loss(self.towers, self._text_vectors, self._identities, batch)
                self._learn(loss)
                losses.append(loss.item())
        return float(np.mean(losses)) if losses else 0.0

    def _learn(self, loss: Tensor) -> None:
        rate = learning_rate(self._step, self._steps, self._settings.learning_rate)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.towers.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self._follow(average_decay(self._step, self._settings.ema_decay))
        self._step += 1

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for mean, weight in zip(self.average.parameters(), self.towers.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
