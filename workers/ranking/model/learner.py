"""Weights that learn, the average of them that follows, and what is needed to go on after a crash."""

import copy
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from workers.ranking.model.descent import Descent, Group, Pace
from workers.ranking.model.schedule import average_decay

Module = TypeVar("Module", bound=nn.Module)


class Learner(Generic[Module]):
    """A `Descent`, and an exponential moving average of the weights.

    Args:
        module: trained in place.

    Attributes:
        average: what is measured and kept; in evaluation mode.
    """

    def __init__(self, module: Module, groups: Iterable[Group], pace: Pace, ema_decay: float) -> None:
        self.module = module
        self.average = copy.deepcopy(module).eval()
        self._descent = Descent(groups, module.parameters(), pace)
        self._ema_decay = ema_decay

    def learn(self, loss: Tensor) -> None:
        """Take in one loss; see `Descent.learn`."""
        if self._descent.learn(loss):
            self._follow()

    def finish(self) -> None:
        """Move by what an epoch's last losses left over."""
        if self._descent.finish():
            self._follow()

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that goes on, by name; `restore` takes it, on any device."""
        found = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for number, state in self._descent.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        found["step"] = torch.tensor(self._descent.step)
        return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up where `tensors` were made."""
        self.module.load_state_dict(_under("module.", tensors))
        self.average.load_state_dict(_under("average.", tensors))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimizer.", tensors).items():
            number, _, key = name.partition(".")
            states.setdefault(int(number), {})[key] = tensor
        self._descent.optimizer.load_state_dict(self._descent.optimizer.state_dict() | {"state": states})
        self._descent.step = int(tensors["step"])

    @torch.no_grad()
    def _follow(self) -> None:
        decay = average_decay(self._descent.step - 1, self._ema_decay)
        for mean, weight in zip(self.average.parameters(), self.module.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)


def mean_of(losses: Sequence[Tensor]) -> float:
    """Return the mean of an epoch's losses, scalars without a gradient; 0 without any.

    They are read here at once: each reading waits until a GPU has done all that it was told.
    """
    return float(np.mean(torch.stack(list(losses)).tolist())) if losses else 0.0


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
