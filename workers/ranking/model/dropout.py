"""Dropout from raw bytes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

_VALUES: Final = 256


class ByteDropout(nn.Module):
    """Dropout whose coin is one byte: torch's `bernoulli_` took 23 % of a training step on a CPU.

    Elsewhere a step would wait for the bytes to get there: only the seed of each mask is drawn here.

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
        return x * (self.keep(x.shape, x.device).to(x.dtype) * (_VALUES / (_VALUES - self._dropped)))

    def keep(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return a bool tensor on the device that is true where a number is kept."""
        if device.type != "cpu":
            seed = int(self._draws.integers(2**63))
            generator = torch.Generator(device).manual_seed(seed)
            drawn = torch.randint(_VALUES, shape, generator=generator, dtype=torch.uint8, device=device)
            return drawn >= self._dropped
        coins = bytearray(self._draws.bytes(int(np.prod(shape))))
        return torch.frombuffer(coins, dtype=torch.uint8).view(shape) >= self._dropped
