"""Training of the action heads: after the rest, on vectors that stand still, so that the ranking cannot suffer."""

import copy
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from streams.settings.ranking import ACTIONS
from streams.settings.training import TrainingSettings
from workers.ranking.model.actions import HABITS, ActionHeads, actions_taken, habits
from workers.ranking.model.evidence import Counted
from workers.ranking.model.histories import HistoryBatch, cut_histories
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.towers import TwoTowers
from workers.ranking.model.trends import TRENDS

MOST_TARGETS: Final = 30_000
"""Events that the heads learn from; more are sampled."""
LEAST_TAKEN: Final = 20
"""Times that an action must occur among them to get a head."""
HELD_OUT: Final = 0.1
"""Of the users; what their events say picks the epoch that is kept."""
_BATCH: Final = 512
_AT_ONCE: Final = 256
_RATE: Final = 2e-3


class Taught(NamedTuple):
    """Heads, or None where no action is frequent enough, and what was measured on held-out users."""

    heads: ActionHeads | None
    metrics: dict[str, float]


class _Examples(NamedTuple):
    users: Tensor
    items: Tensor
    plain: Tensor
    labels: Tensor

    def part(self, places: npt.NDArray[np.int64]) -> "_Examples":
        return _Examples(*(column[torch.from_numpy(places)] for column in self))


def teach_actions(
    towers: TwoTowers,
    item_vectors: Tensor,
    sequences: Sequences,
    counted: Counted | None,
    settings: TrainingSettings,
) -> Taught:
    """Return heads for the actions that the data hold.

    An example is the first event of a user with an item, as seen from the history before it; its labels are
    what the user did with that item within a day. Every action's mean loss counts alike.

    Args:
        towers: trained; they are only read.
        item_vectors: float32 (known items, width), of those towers in evaluation mode.
        sequences: rows count the known items.
        counted: says what was popular when; None where serving will not know that either.
    """
    if not settings.action_epochs:
        return Taught(None, {})
    draws = np.random.default_rng([settings.seed, 2])
    events = np.flatnonzero(sequences.is_first & (sequences.starts < np.arange(len(sequences.starts))))
    events = np.sort(draws.permutation(events)[:MOST_TARGETS])
    events = events[np.argsort(events - sequences.starts[events], kind="stable")]  # less is padding
    taken = actions_taken(sequences, events)
    actions = tuple(
        action for action, times in zip(ACTIONS, taken.sum(axis=0), strict=True) if times >= LEAST_TAKEN
    )
    people = np.unique(sequences.starts[events])
    held = np.isin(sequences.starts[events], draws.permutation(people)[: int(HELD_OUT * len(people))])
    if not actions or not held.any() or held.all():
        return Taught(None, {})
    labels = torch.from_numpy(taken[:, [ACTIONS.index(action) for action in actions]].astype(np.float32))
    examples = _examples(towers.eval(), item_vectors, sequences, counted, events=events, labels=labels)
    learned, other = (examples.part(np.flatnonzero(mask)) for mask in (~held, held))
    return _fit(ActionHeads(actions, towers.shape.width, seed=settings.seed), learned, other, settings, draws)


def _fit(
    heads: ActionHeads,
    learned: _Examples,
    other: _Examples,
    settings: TrainingSettings,
    draws: np.random.Generator,
) -> Taught:
    shares = learned.labels.mean(0).clamp(1e-3, 1 - 1e-3)
    with torch.no_grad():  # from the base rates on
        for head, logit in zip(heads.out.values(), torch.logit(shares), strict=True):
            head.bias.fill_(float(logit))
    optimizer = torch.optim.AdamW(heads.parameters(), lr=_RATE, weight_decay=settings.weight_decay)
    base = best = _losses(heads, other)
    kept = copy.deepcopy(heads.state_dict())
    for _ in range(settings.action_epochs):
        heads.train()
        order = draws.permutation(len(learned.labels))
        for first in range(0, len(order), _BATCH):
            users, items, plain, labels = learned.part(order[first : first + _BATCH])
            functional.binary_cross_entropy_with_logits(heads(users, items, plain), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
        if (now := _losses(heads, other)).mean() < best.mean():
            best, kept = now, copy.deepcopy(heads.state_dict())
    heads.load_state_dict(kept)
    metrics = {}
    for place, action in enumerate(heads.actions):
        metrics[f"action_{action}_log_loss"] = float(best[place])
        metrics[f"action_{action}_base_log_loss"] = float(base[place])
    return Taught(heads.eval(), metrics)


@torch.inference_mode()
def _losses(heads: ActionHeads, examples: _Examples) -> Tensor:
    """Return the mean loss of each action, nats, float32 (actions,)."""
    users, items, plain, labels = examples
    logits = heads.eval()(users, items, plain)
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(0)


@torch.no_grad()
def _examples(
    towers: TwoTowers,
    item_vectors: Tensor,
    sequences: Sequences,
    counted: Counted | None,
    *,
    events: Integers,
    labels: Tensor,
) -> _Examples:
    users, of_users = [], []
    for first in range(0, len(events), _AT_ONCE):
        part = events[first : first + _AT_ONCE]
        histories = cut_histories(sequences.events, sequences.starts[part], part, towers.shape.history_length)
        rows, signals, gaps, lengths = (torch.from_numpy(column) for column in histories)
        users.append(towers.user.newest(item_vectors[rows], signals, gaps, lengths))
        of_users.append(torch.from_numpy(habits_of(histories)))
    rows = sequences.events.rows[events]
    trends = np.zeros((len(events), TRENDS), np.float32)
    if counted is not None:
        trends = counted.trends.values[counted.trends.as_of(sequences.events.times_ms[events - 1]), rows]
    plain = torch.cat([torch.from_numpy(trends), torch.cat(of_users)], dim=1)
    return _Examples(torch.cat(users), item_vectors[torch.from_numpy(rows)], plain, labels)


def habits_of(histories: HistoryBatch) -> npt.NDArray[np.float32]:
    """Return the habits that histories show, float32 (n, HABITS); none of an empty one."""
    count, longest = histories.rows.shape
    if not longest:
        return np.zeros((count, HABITS), np.float32)
    owners, columns = np.nonzero(np.arange(longest) < histories.lengths[:, None])
    return habits(owners, histories.signals[owners, columns], count)
