"""Training of the cross-encoder: adapters and head learn to tell the next item from the model's best others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from encoder.adapted import learned, load_adapted
from encoder.cross import CrossEncoder
from streams.errors import DataError
from streams.settings.training import TrainingSettings
from workers.ranking.model.course import Epoch
from workers.ranking.model.cross import history_text, newest_liked
from workers.ranking.model.descent import Descent, Pace
from workers.ranking.model.manifest import Origin
from workers.ranking.model.pools import Pool, Pools, asked_events, drawn, pool_loss
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers

_EVENTS_AT_ONCE: Final = 512


class TaughtCross(NamedTuple):
    """What was learned, on what, and what training measured."""

    weights: Mapping[str, Tensor]
    base_model: Origin
    metrics: dict[str, float]


def teach_cross(
    pools: Pools,
    sequences: Sequences,
    texts: Sequence[str],
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
) -> TaughtCross:
    """Return adapters and head that correct the score of the model so far.

    An example is the first event of a user with an item, where that item is among the model's best candidates
    before it, as serving has them read; with rivals drawn from there. Equal seeds give equal weights.

    Args:
        pools: of the trained model.
        sequences: rows count the known items.
        texts: of the known items.

    Raises:
        SettingError: the model cannot be loaded, or the extra `lora` is not installed.
        DataError: no next item is among the model's best candidates.
    """
    chosen = settings.cross_encoder
    adapted = load_adapted(chosen, "training.cross_encoder", device=chosen.device, seed=settings.seed)
    encoder = CrossEncoder(adapted, chosen.max_tokens)
    draws = np.random.default_rng([settings.seed, 5])
    whole = _examples(pools, sequences, settings, draws)
    pasts = [_past_of(sequences, event, texts, chosen.history_items) for event in whole.events.tolist()]
    targets = torch.from_numpy(sequences.events.rows[whole.events])
    course = _Course(encoder, settings, len(whole.events))
    before, losses = settings.epochs_before("cross_encoder"), [0.0]
    with torch.random.fork_rng(devices=[]):  # of the dropout
        torch.manual_seed(settings.seed)
        for number in range(1, chosen.epochs + 1):
            losses = [
                course.step(base, [pasts[line] for line in lines], [texts[item] for item in items])
                for base, lines, items in _batches(whole, targets, settings, draws)
            ]
            course.descent.finish()
            progress(Epoch("cross_encoder", before + number, settings.most_epochs, float(np.mean(losses)), None))
    metrics = {
        "cross_encoder_examples": float(len(whole.events)),
        "cross_encoder_loss": float(np.mean(losses)),
        "cross_encoder_base_loss": float(np.mean(course.base_losses[-len(losses) :])),
    }
    origin = Origin(chosen.model, chosen.revision, adapted.sha256)
    return TaughtCross(learned(adapted.module), origin, metrics)


class _Course:
    """The losses of a training.

    Attributes:
        descent: what the losses move.
        base_losses: of each step, what the loss is without the cross-encoder.
    """

    def __init__(self, encoder: CrossEncoder, settings: TrainingSettings, examples: int) -> None:
        self._encoder, self._settings = encoder, settings.cross_encoder
        device = encoder.module.device
        self._bias = nn.Parameter(torch.zeros((), device=device))
        weights = [*(weight for weight in encoder.module.parameters() if weight.requires_grad), self._bias]
        losses = self._settings.epochs * -(-examples // self._settings.batch)
        pace = Pace(losses, self._settings.weight_decay, self._settings.accumulate)
        self.descent = Descent([(weights, self._settings.learning_rate)], weights, pace)
        self.base_losses: list[float] = []
        encoder.module.train()

    def step(self, base: Tensor, pasts: list[str], texts: list[str]) -> float:
        """Take in one batch and return its loss, nats.

        Args:
            base: float32 (n, c), of `drawn`.
            pasts: n · c texts, those of one line after the other.
            texts: n · c texts of candidates.
        """
        base = base.to(self._bias.device)
        logits = self._encoder.logits(pasts, texts).view(base.shape)
        loss = pool_loss(base, functional.softplus(logits), self._settings.loss, self._bias)
        self.descent.learn(loss)
        with torch.no_grad():
            nothing = torch.zeros_like(base)
            self.base_losses.append(float(pool_loss(base, nothing, self._settings.loss, self._bias)))
        return float(loss.detach())


def _examples(pools: Pools, sequences: Sequences, settings: TrainingSettings, draws: np.random.Generator) -> Pool:
    """Return pools that hold their next item, of events in a drawn order until there are enough."""
    chosen = settings.cross_encoder
    asked = draws.permutation(asked_events(sequences))
    found: list[Integers] = [asked[:0]]
    for first in range(0, len(asked), _EVENTS_AT_ONCE):
        events = asked[first : first + _EVENTS_AT_ONCE]
        pool = pools.all_of(sequences, events, chosen.candidates)
        targets = torch.from_numpy(sequences.events.rows[events])
        found.append(events[(pool.items == targets[:, None]).any(1).numpy()])
        if sum(map(len, found)) >= chosen.examples:
            break
    events = np.sort(np.concatenate(found)[: chosen.examples])
    if not len(events):
        raise DataError(
            "No next item of the training data is among the model's best candidates.",
            "collect more events, or take cross_encoder out of training.stages.",
        )
    whole: Pool = pools.all_of(sequences, events, chosen.candidates)
    return whole


def _batches(
    whole: Pool, targets: Tensor, settings: TrainingSettings, draws: np.random.Generator
) -> Iterator[tuple[Tensor, list[int], list[int]]]:
    """Yield base scores of each batch of an epoch, and for each of them the line of `whole` and the item."""
    chosen = settings.cross_encoder
    order = torch.from_numpy(draws.permutation(len(whole.events)))
    for places in order.split(chosen.batch):
        mask = torch.zeros(len(order), dtype=torch.bool).index_fill(0, places, True)
        rivals = drawn(whole.of(mask), targets[mask], chosen.negatives, draws)
        if rivals is not None:  # it never is: the examples hold their targets
            lines = mask.nonzero()[:, 0]
            of_lines = lines.repeat_interleave(rivals.items.shape[1])
            yield rivals.base, of_lines.tolist(), rivals.items.flatten().tolist()


def _past_of(sequences: Sequences, event: int, texts: Sequence[str], most: int) -> str:
    before = slice(int(sequences.starts[event]), event)
    rows: Integers = newest_liked(sequences.events.rows[before], sequences.events.signals[before], most)
    return history_text([texts[row] for row in rows.tolist()])
