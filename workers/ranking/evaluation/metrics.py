"""Measures of a ranking from the rank of the one item that came next; ranks count from 1."""

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.float64]


def ranks_of(scores: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> Ranks:
    """Return each target's rank, with ties at their mean: equal scores for all give chance, never luck.

    Args:
        scores: float32 (n, m), higher is better; -inf where an item may not be recommended.
        targets: int64 (n,), the column of the item that came next.

    Returns:
        float64 (n,), at least 1; half ranks come from ties.
    """
    target_scores = np.take_along_axis(scores, targets[:, None], axis=1)
    better = (scores > target_scores).sum(axis=1)
    equal = (scores == target_scores).sum(axis=1) - 1
    return np.asarray(1.0 + better + equal / 2, dtype=np.float64)


def hit_rate_at(k: int, ranks: Ranks) -> float:
    """Return the share of ranks within the first `k`, 0 to 1; 0 for no ranks. A tied rank rounds down."""
    return float(np.mean(ranks < k + 1)) if ranks.size else 0.0


def ndcg_at(k: int, ranks: Ranks) -> float:
    """Return the mean of 1 / log2(rank + 1) over ranks within the first `k` and 0 beyond, 0 to 1.

    With one relevant item a list the ideal gain is 1. Source: Järvelin and Kekäläinen, ACM TOIS 20(4), 2002.
    """
    if not ranks.size:
        return 0.0
    return float(np.mean(np.where(ranks < k + 1, 1 / np.log2(ranks + 1), 0.0)))


def mrr_at(k: int, ranks: Ranks) -> float:
    """Return the mean of 1 / rank over ranks within the first `k` and 0 beyond, 0 to 1."""
    return float(np.mean(np.where(ranks < k + 1, 1 / ranks, 0.0))) if ranks.size else 0.0
