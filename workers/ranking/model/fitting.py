"""Training in three steps, so that the re-ranker learns from scores that have not learned the answers.

1. The towers learn what came before the held-out end of the time line, until that end says stop.
2. The re-ranker learns from the held-out end, which these towers have not seen; they stand still.
3. The towers learn from everything: what is newest matters most to what comes next.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from torch import Tensor, nn

from streams.settings.training import TrainingSettings
from workers.ranking.evaluation.metrics import Ranks, hit_rate_at, ndcg_at
from workers.ranking.model.catalogue import count_items
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch, Plan, run_course
from workers.ranking.model.evidence import Counted
from workers.ranking.model.features import unit_texts
from workers.ranking.model.learner import Learner
from workers.ranking.model.passes import Passes
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.reranker_examples import examples_of
from workers.ranking.model.reranker_training import teach_reranker
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.towers import TwoTowers
from workers.ranking.model.validation import Validation

VALIDATION_EVENTS: Final = 3_000
CUT_OFF: Final = 10


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
        towers: fresh; they are trained in place, on the device they are on, and the average of their weights
            comes back, on the CPU.
        text_vectors: float32 (known items, text_dimension), on the CPU.
        sequences: rows count the known items.
        settings: duration, speed and seed.
        progress: called after every epoch.
        checkpoints: of this very training.

    Raises:
        DataError: nothing is left to learn from before the validation events.
    """
    times_ms = sequences.events.times_ms
    cut_ms = None
    if settings.validation_share:
        cut_ms = int(np.quantile(times_ms, 1 - settings.validation_share, method="nearest"))
    there = text_vectors.to(towers.user.log_scale.device)
    measured = _begin(towers, there, sequences, cut_ms, settings, progress=progress, checkpoints=checkpoints)
    reranker, counted = None, None
    if settings.reranker:
        reranker = Reranker(settings.reranker_hidden, settings.seed)
        mean = towers.item.text_mean.cpu()
        counted = Counted.of(sequences, unit_texts(text_vectors.numpy(), mean.numpy()), settings)
        held_out = times_ms >= cut_ms if cut_ms is not None else np.zeros(len(times_ms), np.bool_)
        examples = examples_of(towers, there, sequences, held_out, counted, settings=settings)
        reranker = teach_reranker(reranker, examples, settings, progress=progress, checkpoints=checkpoints)
        measured["reranker_examples"] = len(examples.known.own)
    average = _finish(towers, there, sequences, settings, progress=progress, checkpoints=checkpoints)
    return Fitted(average.cpu(), reranker, counted, measured)


def _begin(
    towers: TwoTowers,
    text_vectors: Tensor,
    sequences: Sequences,
    cut_ms: int | None,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> dict[str, float]:
    """Train the towers on what is earlier than `cut_ms`, or on everything, and return what was measured."""
    draws = np.random.default_rng(settings.seed)
    past, measured = sequences, dict[str, float]()
    validation = None
    if cut_ms is not None:
        past = sequences.before(cut_ms)
        validation = Validation(sequences, cut_ms, VALIDATION_EVENTS, draws)
        measured = _popularity(past, cut_ms, len(text_vectors), validation)
    data = Passes(text_vectors, past, settings, towers, draws)
    groups = [(list(towers.parameters()), settings.learning_rate)]
    learner: Learner[nn.Module] = Learner(towers, groups, data.pace(settings.epochs), settings.ema_decay)

    def ranks() -> Ranks:
        if validation is None:
            return np.empty(0)
        found: Ranks = validation.ranks(learner.average, data.item_vectors(learner.average))
        return found

    outcome = run_course(
        "towers",
        learner,
        Plan(settings.epochs, settings.evaluate_every if validation else 0, settings.patience),
        epoch=lambda: data.epoch(learner),
        measure=lambda: ndcg_at(CUT_OFF, ranks()),
        report=lambda number, loss, ndcg: progress(Epoch("towers", number, settings.most_epochs, loss, ndcg)),
        draws=[draws, towers.draws],
        checkpoints=checkpoints,
    )
    if validation is not None:
        measured |= _measure("validation", ranks()) | {"validation_events": len(validation.asked)}
    towers.load_state_dict(learner.average.state_dict())
    return measured | {"epochs": outcome.epochs}


def _finish(
    towers: TwoTowers,
    text_vectors: Tensor,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> TwoTowers:
    """Train the towers on everything and return the average of their weights."""
    draws = np.random.default_rng([settings.seed, 1])
    before, most = settings.epochs_before("finish"), settings.most_epochs
    data = Passes(text_vectors, sequences, settings, towers, draws)
    groups = [(list(towers.parameters()), settings.finish_learning_rate)]
    learner: Learner[nn.Module] = Learner(towers, groups, data.pace(settings.finish_epochs), settings.ema_decay)
    run_course(
        "finish",
        learner,
        Plan(settings.finish_epochs, 0, 1),
        epoch=lambda: data.epoch(learner),
        measure=lambda: 0.0,
        report=lambda number, loss, _: progress(Epoch("finish", before + number, most, loss, None)),
        draws=[draws, towers.draws],
        checkpoints=checkpoints,
    )
    average: TwoTowers = learner.average
    return average


def _popularity(past: Sequences, cut_ms: int, items: int, validation: Validation) -> dict[str, float]:
    counted = count_items([str(row) for row in range(items)], past.events.rows, past.events.times_ms, cut_ms)
    return _measure("validation_popularity", validation.ranks_of_fixed(counted.popularity))


def _measure(prefix: str, ranks: Ranks) -> dict[str, float]:
    return {
        f"{prefix}_ndcg_at_{CUT_OFF}": ndcg_at(CUT_OFF, ranks),
        f"{prefix}_hit_rate_at_{CUT_OFF}": hit_rate_at(CUT_OFF, ranks),
    }
