"""What language models and training are tested on: the CPU, and a GPU where there is one."""

from typing import Final

import pytest
import torch

DEVICES: Final = (
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no NVIDIA GPU here")
    ),
)
