"""How fast training learns and how slowly its average follows, step by step."""

import math
from typing import Final

WARM_UP_STEPS: Final = 100
"""Or a tenth of all steps, where that is less."""
FLOOR: Final = 0.1


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate of step `step` of `steps`, from 0: a linear rise, then a cosine down to a tenth."""
    warm_up = min(WARM_UP_STEPS, max(steps // 10, 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(steps, 1))))
    return peak * min(1.0, (step + 1) / warm_up) * (FLOOR + (1 - FLOOR) * cosine)


def average_decay(step: int, decay: float) -> float:
    """Return the share that the moving average of weights keeps at `step`; small at first, then `decay`."""
    return min(decay, (step + 1) / (step + 11))
