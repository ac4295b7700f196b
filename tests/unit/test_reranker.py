"""Two scores in one network: of candidates with a past, and of those that nobody can have acted on."""

import torch

from workers.ranking.model.features import NAMES
from workers.ranking.model.reranker import Reranker

UNMET, POPULAR = NAMES.index("unmet"), NAMES.index("popular_all")


def drawn() -> tuple[Reranker, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    reranker = Reranker(4)
    for weight in reranker.parameters():
        torch.nn.init.normal_(weight, generator=generator)
    scores, found = (torch.randn(size, generator=generator) for size in ((6,), (6, len(NAMES))))
    found[:, UNMET] = torch.tensor([0, 1, 0, 1, 0, 1])
    return reranker, scores.requires_grad_(), found


def test_no_evidence_moves_the_score_of_what_nobody_met() -> None:
    reranker, scores, found = drawn()
    other = found.clone()
    other[:, POPULAR] += 1
    moved = (reranker(scores, found) != reranker(scores, other)).tolist()
    assert moved == [True, False] * 3


def test_only_its_own_weights_learn_from_the_score_of_what_nobody_met() -> None:
    reranker, scores, found = drawn()
    reranker.by_text(scores, found).sum().backward()
    learned = {name for name, weight in reranker.named_parameters() if weight.grad is not None}
    assert learned == {"unmet.weight", "unmet.bias"}
    assert scores.grad is None
