"""How weights move: AdamW with warm-up and cosine, clipped gradients, several losses to a step where asked for."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from workers.ranking.model.schedule import learning_rate

_LARGEST_GRADIENT: Final = 1.0

Group = tuple[Sequence[nn.Parameter], float]
"""Parameters with their peak learning rate."""


class Pace(NamedTuple):
    """How fast weights move.

    Attributes:
        steps: of the whole schedule, in losses.
        accumulate: losses whose gradients are added up before the weights move.
    """

    steps: int
    weight_decay: float
    accumulate: int = 1


class Descent:
    """Moves parameters by the gradients of losses.

    Args:
        groups: what is moved.
        clipped: whose gradients are shortened together.

    Attributes:
        optimizer: AdamW.
        step: how often the weights have moved.
    """

    def __init__(self, groups: Iterable[Group], clipped: Iterable[nn.Parameter], pace: Pace) -> None:
        self._peaks, parameters = [], []
        for group, peak in groups:
            parameters.append({"params": list(group), "lr": peak})
            self._peaks.append(peak)
        self.optimizer = torch.optim.AdamW(parameters, weight_decay=pace.weight_decay, fused=True)
        self.step = 0
        self._clipped, self._pace = list(clipped), pace
        self._losses = 0

    def learn(self, loss: Tensor) -> bool:
        """Take in one loss; the weights move at each `accumulate`-th. Return whether they did."""
        (loss / self._pace.accumulate).backward()
        self._losses += 1
        moves = self._losses % self._pace.accumulate == 0
        if moves:
            self._move()
        return moves

    def finish(self) -> bool:
        """Move by what an epoch's last losses left over, and return whether there was anything."""
        moves = self._losses % self._pace.accumulate != 0
        if moves:
            self._move()
            self._losses = 0
        return moves

    def _move(self) -> None:
        steps = -(-self._pace.steps // self._pace.accumulate)
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = learning_rate(self.step, steps, peak)
        nn.utils.clip_grad_norm_(self._clipped, _LARGEST_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
