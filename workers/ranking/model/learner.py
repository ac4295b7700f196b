"""Weights that learn, the average of them that follows, and what is needed to go on after a crash."""

import copy
from collections.abc import Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from workers.ranking.model.schedule import average_decay, learning_rate

_LARGEST_GRADIENT: Final = 1.0

Module = TypeVar("Module", bound=nn.Module)


class Pace(NamedTuple):
    """How a learner learns.

    Attributes:
        steps: of the whole schedule, in losses.
        accumulate: losses whose gradients are added up before the weights move.
    """

    steps: int
    weight_decay: float
    ema_decay: float
    accumulate: int = 1


class Learner(Generic[Module]):
    """AdamW with warm-up and cosine, clipped gradients, and an exponential moving average of the weights.

    Args:
        module: trained in place.
        groups: parameters with their peak learning rate.

    Attributes:
        average: what is measured and kept; in evaluation mode.
    """

    def __init__(self, module: Module, groups: Iterable[tuple[Sequence[nn.Parameter], float]], pace: Pace) -> None:
        self.module = module
        self.average = copy.deepcopy(module).eval()
        self._peaks, parameters = [], []
        for group, peak in groups:
            parameters.append({"params": list(group), "lr": peak})
            self._peaks.append(peak)
        self._optimizer = torch.optim.AdamW(parameters, weight_decay=pace.weight_decay)
        self._pace = pace
        self._losses = self._step = 0

    def learn(self, loss: Tensor) -> None:
        """Take in one loss; the weights move at each `accumulate`-th."""
        (loss / self._pace.accumulate).backward()
        self._losses += 1
        if self._losses % self._pace.accumulate == 0:
            self._move()

    def finish(self) -> None:
        """Move by what an epoch's last losses left over."""
        if self._losses % self._pace.accumulate:
            self._move()
            self._losses = 0

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that goes on, by name; `restore` takes it."""
        found = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for number, state in self._optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        found["step"] = torch.tensor(self._step)
        return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up where `tensors` were made."""
        self.module.load_state_dict(_under("module.", tensors))
        self.average.load_state_dict(_under("average.", tensors))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimizer.", tensors).items():
            number, _, key = name.partition(".")
            states.setdefault(int(number), {})[key] = tensor
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": states})
        self._step = int(tensors["step"])

    def _move(self) -> None:
        steps = -(-self._pace.steps // self._pace.accumulate)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = learning_rate(self._step, steps, peak)
        nn.utils.clip_grad_norm_(self.module.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._follow(average_decay(self._step, self._pace.ema_decay))
        self._step += 1

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for mean, weight in zip(self.average.parameters(), self.module.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
