"""An encoder that counts letters, and one that breaks the contract."""

from collections.abc import Sequence

import numpy as np

from encoder.contract import Vectors
from streams.settings.encoder import EncoderSettings


class LetterEncoder:
    """Two texts are near when they use the same letters."""

    id = "letters"
    dimension = 27

    def __init__(self, settings: EncoderSettings) -> None:
        self._most = settings.max_tokens

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return letter frequencies of unit length; the last number says that there was no letter."""
        counts = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for letter in text[: self._most].lower():
                if "a" <= letter <= "z":
                    counts[row, ord(letter) - ord("a")] += 1
        counts[:, -1] = counts.sum(axis=1) == 0
        unit: Vectors = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return unit

    encode_queries = encode_documents


class BrokenEncoder(LetterEncoder):
    """Forgets to norm its vectors."""

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of length 2."""
        return 2 * super().encode_documents(texts)
