"""What a user does with an item that they take up: one probability an action, P(action | user, item taken up).

Which item is taken up is the towers' and the second stage's to say; these heads read their vectors and change
nothing of them.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from streams.settings.ranking import ACTIONS
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import EVENT_TYPES, RATING_BUCKETS, SIGNALS, Integers
from workers.ranking.model.trends import TRENDS

WINDOW_MS: Final = 86_400_000
"""An action belongs to taking an item up if it comes within a day of the user's first event with the item."""
LIKED_FROM, DISLIKED_TO = 3, 1
"""Rating buckets of five: the best two also count as a like, the worst two as a dislike."""
HABITS: Final = SIGNALS + 1
_PRIOR_EVENTS: Final = 5.0


def _meanings() -> npt.NDArray[np.bool_]:
    """Return which actions each signal stands for, bool (SIGNALS, ACTIONS)."""
    found = np.zeros((SIGNALS, len(ACTIONS)), np.bool_)
    for place, event_type in enumerate(EVENT_TYPES):
        if event_type.value in ACTIONS and event_type.value != "rating":
            found[RATING_BUCKETS + place, ACTIONS.index(event_type.value)] = True
    found[:RATING_BUCKETS, ACTIONS.index("rating")] = True
    found[LIKED_FROM:RATING_BUCKETS, ACTIONS.index("like")] = True
    found[: DISLIKED_TO + 1, ACTIONS.index("dislike")] = True
    return found


MEANINGS: Final = _meanings()


def actions_taken(sequences: Sequences, events: Integers) -> npt.NDArray[np.bool_]:
    """Return what the user of each first event did with its item within `WINDOW_MS`, bool (n, ACTIONS).

    Args:
        events: int64 (n,), of `sequences`; the user's first with that item.
    """
    rows, signals, times_ms = sequences.events
    keys = sequences.starts * (rows.max(initial=0) + 1) + rows
    wanted, lines = np.unique(keys[events], return_inverse=True)
    first = np.zeros(len(wanted), np.int64)
    first[lines] = events
    places = np.minimum(np.searchsorted(wanted, keys), max(len(wanted) - 1, 0))
    here = np.flatnonzero(wanted[places] == keys) if len(wanted) else np.zeros(0, np.int64)
    begun = first[places[here]]
    inside = (here >= begun) & (times_ms[here] - times_ms[begun] <= WINDOW_MS)
    found = np.zeros((len(wanted), len(ACTIONS)), np.bool_)
    np.logical_or.at(found, places[here[inside]], MEANINGS[signals[here[inside]]])
    return found[lines]


def habits(owners: Integers, signals: Integers, users: int) -> Matrix:
    """Return each user's share of every signal, drawn to 0 for short histories, and log1p(events).

    Args:
        owners: int64 (e,), the user of each event of a history, 0 to `users` - 1.
        signals: int64 (e,).

    Returns:
        float32 (users, HABITS).
    """
    counts = np.bincount(owners * SIGNALS + signals, minlength=users * SIGNALS).reshape(users, SIGNALS)
    events = counts.sum(axis=1, keepdims=True)
    return np.hstack([counts / (events + _PRIOR_EVENTS), np.log1p(events)]).astype(np.float32)


class ActionHeads(nn.Module):
    """A small MLP with one output an action; equal seeds give equal weights.

    Args:
        actions: names, each of `ACTIONS`.
        width: numbers in a user or item vector.
        hidden: units of the middle layer.
    """

    def __init__(self, actions: tuple[str, ...], width: int, hidden: int = 32, seed: int = 0) -> None:
        super().__init__()
        self.actions = actions
        self.norm = nn.LayerNorm(3 * width + TRENDS + HABITS)
        self.middle = nn.Linear(3 * width + TRENDS + HABITS, hidden)
        self.plain = nn.Linear(TRENDS + HABITS, hidden, bias=False)
        self.out = nn.ModuleDict({action: nn.Linear(hidden, 1) for action in actions})
        generator = torch.Generator().manual_seed(seed)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)
        for layer in (self.middle, *self.out.values()):
            nn.init.zeros_(layer.bias)
        for head in self.out.values():
            nn.init.zeros_(head.weight)

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> "ActionHeads":
        """Return the heads whose `state_dict` is `weights`, in evaluation mode.

        Raises:
            RuntimeError: the weights are not of this version of Headrace.
        """
        names = {name.split(".")[1] for name in weights if name.startswith("out.")}
        hidden, inputs = weights["middle.weight"].shape
        heads = cls(
            tuple(action for action in ACTIONS if action in names), (inputs - TRENDS - HABITS) // 3, hidden
        )
        heads.load_state_dict(dict(weights))
        heads.eval()
        return heads

    def forward(self, users: Tensor, items: Tensor, plain: Tensor) -> Tensor:
        """Return logits, float32 (m, actions).

        Args:
            users: float32 (m, width), user vectors.
            items: float32 (m, width), item vectors.
            plain: float32 (m, TRENDS + HABITS), trends of the item and habits of the user.
        """
        x = self.norm(torch.cat([users, items, users * items, plain], dim=1))
        x = functional.gelu(self.middle(x) + self.plain(plain))
        return torch.cat([head(x) for head in self.out.values()], dim=1)

    @torch.inference_mode()
    def chances(self, users: Matrix, items: Matrix, trends: Matrix, of_users: Matrix) -> Matrix:
        """Return P(action | user, item taken up), float32 (m, actions), each row independent of the others.

        Args:
            users: float32 (m, width).
            items: float32 (m, width).
            trends: float32 (m, TRENDS), of the items.
            of_users: float32 (m, HABITS), see `habits`.
        """
        plain = torch.from_numpy(np.hstack([trends, of_users]))
        found: Matrix = self(torch.from_numpy(users), torch.from_numpy(items), plain).sigmoid().numpy()
        return found
