"""A cross-encoder: two texts go through the language model together, and one number comes out.

It sees how their words fit, which two vectors made apart cannot say, and costs a pass of the model for each pair.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from encoder.adapted import Adapted
from encoder.batching import Indices, batches
from encoder.foreign import encodable

Logits = npt.NDArray[np.float32]
_Tokens = list[dict[str, list[int]]]


class CrossEncoder:
    """Scores pairs of texts with a model that returns one number.

    In float32 a pair has the same number in any batch to 1e-5.

    Args:
        max_tokens: of both texts together; the longer one is cut.
        token_budget: most padded tokens of one forward pass.
    """

    def __init__(self, adapted: Adapted, max_tokens: int, token_budget: int = 4_096) -> None:
        self.module, self._tokenizer = adapted.module, adapted.tokenizer
        positions = getattr(self.module.config, "max_position_embeddings", None) or max_tokens
        self._max_tokens = min(max_tokens, self._tokenizer.model_max_length, positions)
        self._budget_tokens = token_budget

    @torch.inference_mode()
    def scores(self, firsts: Sequence[str], seconds: Sequence[str]) -> Logits:
        """Return one number a pair, float32 (n,), in order.

        Args:
            firsts: n texts.
            seconds: n texts.
        """
        found = np.empty(len(firsts), np.float32)
        if not len(firsts):
            return found
        self.module.eval()
        tokens = self._tokenized(firsts, seconds)
        for group in batches(_lengths(tokens), self._budget_tokens):
            found[group] = self._forward([tokens[place] for place in group.tolist()]).cpu().numpy()
        return found

    def logits(self, firsts: Sequence[str], seconds: Sequence[str]) -> Tensor:
        """Return one number a pair, float32 (n,), of one forward pass that gradients go back through."""
        return self._forward(self._tokenized(firsts, seconds))

    def _tokenized(self, firsts: Sequence[str], seconds: Sequence[str]) -> _Tokens:
        encoded = self._tokenizer(
            encodable(firsts), encodable(seconds), truncation="longest_first", max_length=self._max_tokens
        )
        names = list(encoded.keys())
        return [dict(zip(names, values, strict=True)) for values in zip(*encoded.values(), strict=True)]

    def _forward(self, tokens: _Tokens) -> Tensor:
        padded = self._tokenizer.pad(tokens, return_tensors="pt").to(self.module.device)
        found: Tensor = self.module(**padded).logits[:, 0].float()
        return found


def _lengths(tokens: _Tokens) -> Indices:
    return np.array([len(each["input_ids"]) for each in tokens], np.int64)
