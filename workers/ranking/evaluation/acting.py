"""How well a model foretells what users do with the items that they take up, and what weights make of it."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from streams.settings.ranking import ACTIONS
from workers.ranking.evaluation.learned import Towers
from workers.ranking.evaluation.measuring import DEPTH, Answered
from workers.ranking.evaluation.metrics import Ranks
from workers.ranking.evaluation.protocols import Mask, Questions
from workers.ranking.evaluation.systems import System
from workers.ranking.model.action_training import habits_of
from workers.ranking.model.actions import actions_taken
from workers.ranking.model.histories import cut_histories
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import Integers
from workers.ranking.model.training import ItemTexts
from workers.ranking.model.worth import worth

_AT_ONCE: Final = 4_096
_EDGE: Final = 1e-6


class Weighted(Towers):
    """A system of the model whose scores also say what an item is worth, by `ranking.action_weights`.

    Args:
        system: `Towers` or `Reranked` of the same model.
    """

    def __init__(self, model: Model, items: ItemTexts, system: System, weights: Mapping[str, float]) -> None:
        super().__init__(model, items)
        self._system, self._weights = system, weights
        self._trends = model.trends[model.numbers(items.item_ids)]

    def scores(self, questions: Questions) -> Matrix:
        """Return the system's scores, each with the worth of the item added."""
        found = self._system.scores(questions)
        heads = self._model.actions
        if heads is None:
            return found
        users, of_users = self._users(questions)
        every = len(self._matrix)
        for line, user, habit in zip(found, users, of_users, strict=True):
            chances = heads.chances(
                np.repeat(user[None], every, 0), self._matrix, self._trends, np.repeat(habit[None], every, 0)
            )
            parts = worth(chances, heads.actions, self._weights)
            np.add(line, np.sum(list(parts.values()), axis=0), out=line)
        return found

    def foretold(self, questions: Questions) -> Matrix:
        """Return P(action | user, target taken up), float32 (n, actions)."""
        heads = self._model.actions
        parts = []
        for first in range(0, len(questions.ends) if heads is not None else 0, _AT_ONCE):
            part = questions.part(np.arange(first, min(first + _AT_ONCE, len(questions.ends))))
            users, of_users = self._users(part)
            items, trends = self._matrix[part.targets], self._trends[part.targets]
            parts.append(heads.chances(users, items, trends, of_users))  # type: ignore[union-attr]
        return np.concatenate(parts)

    def _users(self, questions: Questions) -> tuple[Matrix, Matrix]:
        histories = cut_histories(
            questions.log.events, questions.starts, questions.ends, self._model.history_length
        )
        return self._model.user_vectors(self._matrix, histories), habits_of(histories)


def target_events(questions: Questions) -> Integers:
    """Return each target's first event in the log, int64 (n,); -1 where the log does not hold it (a cold item)."""
    rows = questions.log.events.rows
    wide = max(rows.max(initial=0), questions.targets.max(initial=0)) + 1
    first = np.flatnonzero(questions.log.is_first)
    keys = questions.log.starts[first] * wide + rows[first]
    order = np.argsort(keys)
    wanted = questions.users * wide + questions.targets
    places = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    return np.where(keys[places] == wanted, first[places], -1)


def action_measures(questions: Questions, model: Model, items: ItemTexts) -> dict[str, dict[str, float]]:
    """Return how well each action was foretold, by action, over targets of users with a history.

    `share` is how often it was taken and `foretold` how often on average it was foretold to be; `log_loss` (nats)
    stands beside that of a forecaster who knows the share alone; `auc` is the chance that of a target with the
    action and one without it the first was foretold to have it more, .5 for a coin.
    """
    if model.actions is None:
        return {}
    events = target_events(questions)
    asked = np.flatnonzero((events >= 0) & (questions.ends > questions.starts))
    if not len(asked):
        return {}
    chances = Weighted(model, items, Towers(model, items), {}).foretold(questions.part(asked))
    taken = actions_taken(questions.log, events[asked])
    found = {}
    for place, action in enumerate(model.actions.actions):
        label, chance = taken[:, ACTIONS.index(action)], chances[:, place].astype(np.float64)
        found[action] = {
            "questions": float(len(label)),
            "share": float(label.mean()),
            "foretold": float(chance.mean()),
            "log_loss": _log_loss(label, chance),
            "base_log_loss": _log_loss(label, np.full(len(label), label.mean())),
            "auc": _auc(label, chance),
        }
    return found


def worth_at(name: str, answered: Answered, weights: Mapping[str, float]) -> float:
    """Return the mean of NDCG's gain times the worth of what was taken, 1 + the weights of the actions on it."""
    events = target_events(answered.questions)
    taken = actions_taken(answered.questions.log, np.maximum(events, 0)) & (events >= 0)[:, None]
    values = 1 + taken @ np.array([weights.get(action, 0.0) for action in ACTIONS])
    ranks = answered.answers[name].ranks
    gains = np.where(ranks < DEPTH + 1, 1 / np.log2(ranks + 1), 0.0)
    return float((gains * values).mean()) if len(ranks) else 0.0


def _log_loss(label: Mask, chance: Ranks) -> float:
    chance = np.clip(chance, _EDGE, 1 - _EDGE)
    return float(-np.where(label, np.log(chance), np.log(1 - chance)).mean())


def _auc(label: Mask, chance: Ranks) -> float:
    """Return the area under the curve, ties at half; .5 where all labels are equal."""
    with_it, without = int(label.sum()), int((~label).sum())
    if not with_it or not without:
        return 0.5
    _, inverse, counts = np.unique(chance, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[label].sum() - with_it * (with_it + 1) / 2) / (with_it * without))
