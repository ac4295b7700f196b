"""What every encoder promises; `tests/conformance` holds each of them to it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""float32, shape (n, dimension), C-contiguous; rows have unit length."""


class Encoder(Protocol):
    """Turns texts into unit vectors. The same text gives the same vector in any batch (to 1e-5)."""

    @property
    def id(self) -> str:
        """Names everything that shapes a vector; equal ids mean comparable vectors. Legal in a topic name."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, float32 (n, dimension), in order; (0, dimension) for none."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a query, with the model's query prompt, shaped like `encode_documents`."""
