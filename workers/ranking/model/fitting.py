"""Training in two stages: the towers until a held-out end of the time line says stop, then everything together.

The second stage learns from all data, the held-out end included: what is newest matters most to what comes next.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from streams.errors import DataError
from streams.settings.training import TrainingSettings
from workers.ranking.evaluation.metrics import Ranks, hit_rate_at, ndcg_at
from workers.ranking.model.batch import Batch, Negatives, make_batch
from workers.ranking.model.catalogue import count_items
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.chosen_features import read_mask
from workers.ranking.model.course import Epoch, Plan, run_course
from workers.ranking.model.descent import Pace
from workers.ranking.model.evidence import Counted
from workers.ranking.model.features import unit_texts
from workers.ranking.model.learner import Learner
from workers.ranking.model.objective import MASKED, Forward, forward, next_item_loss
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.reranking import NEGATIVES, TwoStages, pair_features, rerank_loss
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.towers import TwoTowers
from workers.ranking.model.validation import Validation
from workers.ranking.model.windows import batches, cut_windows

VALIDATION_EVENTS: Final = 3_000
CUT_OFF: Final = 10
LEAST_STEPS: Final = 16
"""Of an epoch; a small data set is cut into smaller batches."""
TOWERS_SHARE: Final = 0.3
"""Of the second stage's learning rate, for the towers."""
_SAMPLE: Final = 512
_PRECISIONS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Fitted(NamedTuple):
    """What training gives.

    Attributes:
        reranker: None where the settings leave it out.
        counted: the evidence that it reads, of all data; None with it.
        metrics: what was measured, by name.
    """

    towers: TwoTowers
    reranker: Reranker | None
    counted: Counted | None
    metrics: dict[str, float]


def fit(
    towers: TwoTowers,
    text_vectors: Tensor,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> Fitted:
    """Return trained towers, the re-ranker, and what the validation measured; see `train`.

    Args:
        towers: fresh; they are trained in place, and the average of their weights is what comes back.
        text_vectors: float32 (known items, text_dimension).
        sequences: rows count the known items.
        settings: duration, speed and seed.
        progress: called after every epoch.
        checkpoints: of this very training.

    Raises:
        DataError: nothing is left to learn from before the validation events.
    """
    draws = np.random.default_rng(settings.seed)
    most = settings.most_epochs
    past, measured = sequences, {}
    validation = None
    if settings.validation_share:
        times_ms = sequences.events.times_ms
        cut_ms = int(np.quantile(times_ms, 1 - settings.validation_share, method="nearest"))
        past = sequences.before(cut_ms)
        validation = Validation(sequences, cut_ms, VALIDATION_EVENTS, draws)
        measured = _popularity(past, cut_ms, len(text_vectors), validation)

    data = _Data(text_vectors, past, settings, towers, draws)
    learner: Learner[nn.Module] = Learner(
        towers,
        [(list(towers.parameters()), settings.learning_rate)],
        _pace(settings, settings.epochs, data),
        settings.ema_decay,
    )

    def ranks() -> Ranks:
        if validation is None:
            return np.empty(0)
        found: Ranks = validation.ranks(learner.average, data.item_vectors(learner.average))
        return found

    outcome = run_course(
        "towers",
        learner,
        Plan(settings.epochs, settings.evaluate_every if validation else 0, settings.patience),
        epoch=lambda: data.epoch(learner, lambda batch, said: next_item_loss(said.logits, batch, settings.loss)),
        measure=lambda: ndcg_at(CUT_OFF, ranks()),
        report=lambda number, loss, ndcg: progress(Epoch("towers", number, most, loss, ndcg)),
        draws=[draws, towers.draws],
        checkpoints=checkpoints,
    )
    if validation is not None:
        measured |= _measure("validation", ranks()) | {"validation_events": len(validation.asked)}
    measured["epochs"] = outcome.epochs
    towers.load_state_dict(learner.average.state_dict())
    return _finish(
        towers,
        text_vectors,
        sequences,
        settings,
        progress=progress,
        checkpoints=checkpoints,
        measured=measured,
    )


def _finish(
    towers: TwoTowers,
    text_vectors: Tensor,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
    measured: dict[str, float],
) -> Fitted:
    draws = np.random.default_rng([settings.seed, 1])
    most = settings.most_epochs
    reranker = Reranker(towers.shape.width, settings.reranker_hidden, settings.seed)
    stages, counted = TwoStages(towers, reranker), None
    if settings.reranker:
        counted = Counted.of(sequences, unit_texts(text_vectors.numpy(), towers.item.text_mean.numpy()), settings)
    data = _Data(text_vectors, sequences, settings, towers, draws)
    rate = settings.finish_learning_rate
    learner: Learner[nn.Module] = Learner(
        stages,
        [(list(towers.parameters()), TOWERS_SHARE * rate), (list(reranker.parameters()), rate)],
        _pace(settings, settings.finish_epochs, data),
        settings.ema_decay,
    )
    if counted is not None:
        for module in (stages, learner.average):
            module.reranker.scale_to(_sample_of(stages, data, counted, settings))
            module.reranker.feature_scale.mul_(read_mask(settings))

    def loss(batch: Batch, said: Forward) -> Tensor:
        total = next_item_loss(said.logits, batch, settings.loss)
        if counted is not None:
            second = rerank_loss(
                stages,
                said,
                batch,
                sequences=data.past,
                counted=counted,
                candidates=settings.reranker_candidates,
                draws=draws,
            )
            total = total if second is None else total + second
        return total

    run_course(
        "finish",
        learner,
        Plan(settings.finish_epochs, 0, 1),
        epoch=lambda: data.epoch(learner, loss),
        measure=lambda: 0.0,
        report=lambda number, mean, ndcg: progress(Epoch("finish", settings.epochs + number, most, mean, ndcg)),
        draws=[draws, towers.draws],
        checkpoints=checkpoints,
    )
    average = learner.average
    return Fitted(average.towers, average.reranker if counted is not None else None, counted, measured)


class _Data:
    """Batches of one stage's data.

    Attributes:
        past: the events in the order of the epoch that runs; batches speak of their places in it.
    """

    def __init__(
        self,
        text_vectors: Tensor,
        past: Sequences,
        settings: TrainingSettings,
        towers: TwoTowers,
        draws: np.random.Generator,
    ) -> None:
        self._text_vectors, self._events, self.past, self._draws = text_vectors, past, past, draws
        self._towers, self._length = towers, towers.shape.history_length
        self._identities = torch.arange(1, len(text_vectors) + 1)
        self._negatives = Negatives(past, len(text_vectors), draws, settings)
        self._precision = _PRECISIONS[settings.precision]
        with torch.no_grad():  # an identity that no event has taught is noise; as zeros it is the text alone
            towers.item.identity.weight[1:][torch.from_numpy(~self._negatives.trained)] = 0
        windows = cut_windows(past, self._length, np.random.default_rng(settings.seed))
        if not len(windows):
            raise DataError(
                f"No user has two events before the newest {settings.validation_share:.0%} of the time line.",
                "collect events of more days before training.",
            )
        self._batch_windows = min(settings.batch_windows, math.ceil(len(windows) / LEAST_STEPS))
        self.steps_an_epoch = math.ceil(len(windows) / self._batch_windows)

    @torch.inference_mode()
    def item_vectors(self, towers: TwoTowers) -> Tensor:
        """Return the known items' vectors by towers in evaluation mode, float32 (known items, width)."""
        vectors: Tensor = towers.item(self._text_vectors, self._identities)
        return vectors

    def batches(self) -> Iterator[tuple[Batch, Forward]]:
        """Yield each batch of an epoch with what the towers say of it."""
        self.past = past = self._events.reordered(self._draws)
        for windows in batches(cut_windows(past, self._length, self._draws), self._batch_windows, self._draws):
            batch = make_batch(past, windows, self._negatives, self._length)
            if len(batch.targets):
                said = forward(self._towers, self._text_vectors, self._identities, batch, self._precision)
                yield batch, said

    def epoch(self, learner: Learner[nn.Module], loss_of: Callable[[Batch, Forward], Tensor]) -> float:
        """Go once over the data and return the mean loss, nats."""
        learner.module.train()
        losses = []
        for batch, said in self.batches():
            loss = loss_of(batch, said)
            learner.learn(loss)
            losses.append(loss.item())
        learner.finish()
        return float(np.mean(losses)) if losses else 0.0


def _pace(settings: TrainingSettings, epochs: int, data: _Data) -> Pace:
    steps = epochs * data.steps_an_epoch
    return Pace(steps, settings.weight_decay, settings.accumulate)


def _sample_of(stages: TwoStages, data: _Data, counted: Counted, settings: TrainingSettings) -> Tensor:
    """Return features of some targets and their strongest rivals, for mean and spread, float32 (s, FEATURES)."""
    draws = np.random.default_rng(settings.seed)
    stages.eval()
    with torch.no_grad():
        batch, said = next(data.batches())
        chosen = draws.permutation(len(batch.targets))[:_SAMPLE]
        base, places = said.logits[chosen].topk(min(NEGATIVES, said.logits.shape[1]), dim=1)
    found = pair_features(counted, data.past, batch.events[chosen], batch.items[places.numpy()], crossed=True)
    kept = base.flatten() > MASKED / 2
    return torch.cat([torch.from_numpy(found), base.flatten()[:, None]], dim=1)[kept]


def _popularity(past: Sequences, cut_ms: int, items: int, validation: Validation) -> dict[str, float]:
    counted = count_items([str(row) for row in range(items)], past.events.rows, past.events.times_ms, cut_ms)
    return _measure("validation_popularity", validation.ranks_of_fixed(counted.popularity))


def _measure(prefix: str, ranks: Ranks) -> dict[str, float]:
    return {
        f"{prefix}_ndcg_at_{CUT_OFF}": ndcg_at(CUT_OFF, ranks),
        f"{prefix}_hit_rate_at_{CUT_OFF}": hit_rate_at(CUT_OFF, ranks),
    }
