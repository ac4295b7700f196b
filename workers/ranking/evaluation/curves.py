"""How a measure runs along something: the length of the history, the day, the chance that was foretold."""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from workers.ranking.evaluation.measuring import DEPTH, Answered
from workers.ranking.evaluation.metrics import hit_rate_at, ndcg_at
from workers.ranking.evaluation.protocols import Mask

HISTORY_BANDS: Final = ((0, 0), (1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, None))
"""Events of a history, from and to: a user is new for the first of them."""
BINS: Final = 10
"""Of calibration; each holds as many questions as the others."""
_DAY_MS: Final = 86_400_000

Points = list[dict[str, Any]]


def by_history(name: str, answered: Answered) -> Points:
    """Return NDCG, hit rate and questions by events of the history, shortest first; empty bands are left out."""
    lengths = answered.questions.ends - answered.questions.starts
    found = []
    for low, high in HISTORY_BANDS:
        here = (lengths >= low) & (lengths <= (np.iinfo(np.int64).max if high is None else high))
        label = f"{low}+" if high is None else f"{low}-{high}" if high > low else f"{low}"
        found.append({"events": label} | _measures(name, answered, here))
    return [point for point in found if point["questions"]]


def by_day(name: str, answered: Answered) -> Points:
    """Return the same by the day (UTC) of the newest event that had been applied when the question was put."""
    questions = answered.questions
    times_ms = np.sort(questions.log.events.times_ms)
    days = times_ms[np.maximum(questions.applied - 1, 0)] // _DAY_MS
    return [
        {"day": datetime.fromtimestamp(day * _DAY_MS / 1_000, UTC).date().isoformat()}
        | _measures(name, answered, days == day)
        for day in np.unique(days).tolist()
    ]


def calibration(name: str, answered: Answered) -> dict[str, Any] | None:
    """Return how often slates held the next item beside how often that was foretold; None where nothing was.

    `error` is the mean distance of the two over bins of equal size (the expected calibration error, Naeini and
    others, AAAI 2015), and so 0 for a system whose every word is kept; `log_loss` is in nats.
    """
    ranks, _, chances = answered.answers[name]
    asked = np.flatnonzero(np.isfinite(chances))
    if not len(asked):
        return None
    hit = (ranks[asked] < DEPTH + 1).astype(np.float64)
    foretold = np.clip(chances[asked], 1e-6, 1 - 1e-6)
    order = np.argsort(foretold, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    points = [
        {"foretold": float(foretold[part].mean()), "held": float(hit[part].mean()), "questions": len(part)}
        for part in bins
    ]
    error = sum(abs(point["foretold"] - point["held"]) * point["questions"] for point in points) / len(asked)
    log_loss = -(hit * np.log(foretold) + (1 - hit) * np.log(1 - foretold)).mean()
    return {"error": error, "log_loss": float(log_loss), "bins": points}


def _measures(name: str, answered: Answered, here: Mask) -> dict[str, float | int]:
    ranks = answered.answers[name].ranks[here]
    return {
        f"ndcg_at_{DEPTH}": ndcg_at(DEPTH, ranks),
        f"hr_at_{DEPTH}": hit_rate_at(DEPTH, ranks),
        "questions": len(ranks),
    }
