"""Puts every question to every system and measures the answers, a few questions at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from workers.ranking.evaluation.bootstrap import Interval, paired
from workers.ranking.evaluation.learned import best_rows, mask_seen, probabilities
from workers.ranking.evaluation.metrics import Ranks, hit_rate_at, mrr_at, ndcg_at, ranks_of
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.recall import RECALL_DEPTH, Found, found_by, joined
from workers.ranking.evaluation.retrieval import Retrieved
from workers.ranking.evaluation.systems import System
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.signals import Integers

DEPTH: Final = 10
_PLACES_AT_ONCE: Final = 2_000_000


class Answers(NamedTuple):
    """What one system said.

    Attributes:
        ranks: float64 (n,), of the targets among all unseen items.
        slates: int64 (n, DEPTH), rows, best first.
        chances: float64 (n,), by its own word, that the target is in the slate; NaN where it gives no such word.
    """

    ranks: Ranks
    slates: Integers
    chances: Ranks


class Answered(NamedTuple):
    """What all systems said to the same questions.

    Attributes:
        found: where the sources have the targets, by source and for their union; empty where nobody asked.
    """

    questions: Questions
    answers: dict[str, Answers]
    found: dict[str, Found]


def ask(
    questions: Questions,
    systems: Mapping[str, System],
    items: int,
    retrieval: Callable[[Questions], Retrieved] | None = None,
    probable: Sequence[str] = (),
) -> Answered:
    """Return the answers; what the user has seen is masked for every system alike.

    Args:
        retrieval: asks the sources of serving.
        probable: systems whose scores are `probabilities` of users with a history.
    """
    size = max(1, _PLACES_AT_ONCE // items)
    parts: dict[str, list[Answers]] = {name: [] for name in systems}
    found = []
    for first in range(0, len(questions.ends), size):
        part = questions.part(np.arange(first, min(first + size, len(questions.ends))))
        for name, system in systems.items():
            scores = mask_seen(system.scores(part), part)
            slates = best_rows(scores, min(DEPTH, items))
            chances = _chances(scores, slates, part) if name in probable else np.full(len(slates), np.nan)
            parts[name].append(Answers(ranks_of(scores, part.targets), slates, chances))
        if retrieval is not None:
            found.append(found_by(retrieval(part), part))
    answers = {name: Answers(*map(np.concatenate, zip(*each, strict=True))) for name, each in parts.items()}
    return Answered(questions, answers, joined(found))


def summary(name: str, answered: Answered, unit_texts: Matrix) -> dict[str, float]:
    """Return the measures of one system.

    `popularity_bias` is the mean count of what was shown over the mean count of what was taken, both in the
    events to learn from; 1 shows things as popular as those that people took. `diversity` is 1 less the mean
    cosine of the texts in a slate.
    """
    ranks, slates, _ = answered.answers[name]
    questions = answered.questions
    counts = np.bincount(questions.past.events.rows, minlength=len(unit_texts)).astype(np.float64)
    taken = float(counts[questions.targets].mean()) if len(ranks) else 0.0
    found = {
        f"hr_at_{DEPTH}": hit_rate_at(DEPTH, ranks),
        f"ndcg_at_{DEPTH}": ndcg_at(DEPTH, ranks),
        f"mrr_at_{DEPTH}": mrr_at(DEPTH, ranks),
        f"recall_at_{RECALL_DEPTH}": hit_rate_at(RECALL_DEPTH, ranks),
        "coverage": len(np.unique(slates)) / len(unit_texts),
        "diversity": _diversity(slates, unit_texts),
    }
    if taken:
        found["popularity_bias"] = float(counts[slates].mean()) / taken
    return found


def compared(ours: str, theirs: str, answered: Answered) -> dict[str, Interval]:
    """Return difference and ratio of NDCG with their intervals, see `paired`."""
    mine, other = (_gains(answered.answers[name].ranks) for name in (ours, theirs))
    difference, ratio = paired(mine, other, answered.questions.users)
    return {"difference": difference, "ratio": ratio}


def _gains(ranks: Ranks) -> Ranks:
    return np.where(ranks < DEPTH + 1, 1 / np.log2(ranks + 1), 0.0)


def _chances(scores: Matrix, slates: Integers, part: Questions) -> Ranks:
    inside = np.take_along_axis(probabilities(scores), slates, axis=1).sum(axis=1, dtype=np.float64)
    return np.where(part.ends > part.starts, inside, np.nan)


def _diversity(slates: Integers, unit_texts: Matrix) -> float:
    if slates.size == 0 or slates.shape[1] < 2:
        return 0.0
    length = slates.shape[1]
    sums = np.concatenate([np.square(unit_texts[part].sum(axis=1)).sum(axis=1) for part in _chunks(slates)])
    norms = np.square(unit_texts).sum(axis=1)[slates].sum(axis=1)
    return float(1 - ((sums - norms) / (length * (length - 1))).mean())


def _chunks(slates: Integers) -> list[Integers]:
    return [slates[first : first + 1_024] for first in range(0, len(slates), 1_024)]
