"""The re-ranker as a bundle keeps it and as serving runs it: arrays in, arrays out."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy.typing as npt
import torch
from torch import Tensor

from workers.ranking.model.features import NAMES, Evidence, Pairs, Trails, features
from workers.ranking.model.neighbours import Matrix, Neighbours
from workers.ranking.model.reranker import Reranker


class SecondStage(NamedTuple):
    """What corrects the towers' score.

    Attributes:
        weights: of `Reranker`, by parameter name.
        evidence: lists by number of the known item.
        trends: float32 (known items, TRENDS), at the end of the training data.
    """

    weights: Mapping[str, Tensor]
    evidence: Evidence
    trends: Matrix

    def tensors(self) -> dict[str, Tensor]:
        """Return the evidence by name, as it is written; `of_tensors` takes it."""
        arrays: dict[str, npt.NDArray[Any]] = {"trends": self.trends}
        for kind, lists in zip(Evidence._fields, self.evidence, strict=True):
            arrays |= {f"{kind}.items": lists.items, f"{kind}.weights": lists.weights}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @classmethod
    def of_tensors(cls, weights: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Self:
        """Return what `tensors` was given."""
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        lists = (Neighbours(arrays[f"{kind}.items"], arrays[f"{kind}.weights"]) for kind in Evidence._fields)
        return cls(weights, Evidence(*lists), arrays["trends"])


class Rescorer:
    """Runs a second stage.

    Raises:
        RuntimeError: the weights do not fit the features of this version of Headrace.
    """

    feature_names = NAMES

    def __init__(self, second: SecondStage) -> None:
        self._reranker = Reranker(len(second.weights["middle.weight"]))
        self._reranker.load_state_dict(dict(second.weights))
        self._reranker.eval()
        self._evidence = second.evidence
        self._known = len(second.trends)

    @torch.inference_mode()
    def rescore(self, scores: Matrix, texts: Matrix, trails: Trails, pairs: Pairs) -> Matrix:
        """Return the final scores, float32 (m,), each independent of the others to 1e-5.

        Args:
            scores: float32 (m,), of the towers.
            texts: float32 (k, d), unit text vectors that `trails` and `pairs` speak of.
        """
        found = features(self._evidence, self._known, texts, trails, pairs)
        final: Matrix = self._reranker(torch.from_numpy(scores), torch.from_numpy(found)).numpy()
        return final
