"""`make bench-recbole`: our model beside RecBole's sequential ones, by leave-one-out on MovieLens-100K.

Both learn from the same events and rank every item that a user has not seen; the history of the test holds the
validation event. RecBole's models train until its own early stopping ends it (minutes each on a GPU, an hour or
more of a core), in an environment of their own, and what they answered is kept: a second run takes minutes.
`ARGS='SASRec GRU4Rec'` names the models, otherwise it is those of `catalogue.py`. Validation and test are pooled:
a question is a user's, and the interval draws users.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

import numpy as np

from streams.settings import load_settings
from tests.bench.quality import SEEDS
from tests.bench.recbole.answering import QUESTIONS, Trained, ours, recbole
from tests.bench.recbole.catalogue import MODELS
from tests.bench.report import Figure, save
from workers.datasets import load_dataset
from workers.evaluate import item_texts
from workers.ranking.evaluation.bootstrap import paired
from workers.ranking.evaluation.evaluate import read_log
from workers.ranking.evaluation.metrics import Ranks, hit_rate_at, mrr_at, ndcg_at
from workers.ranking.evaluation.protocols import Questions, leave_one_out

_DEPTH: Final = 10


def pooled(ranks: dict[str, Ranks]) -> Ranks:
    """Return what is gained in each question, validation first."""
    every = np.concatenate([ranks[name] for name in QUESTIONS])
    return np.where(every < _DEPTH + 1, 1 / np.log2(every + 1), 0.0)


def figures(
    asked: dict[str, Questions], theirs: dict[str, Trained], seeds: list[dict[str, Ranks]]
) -> list[Figure]:
    """Return the comparison with the best of theirs, its measures, and how good each of them is."""
    users = np.concatenate([asked[name].users for name in QUESTIONS])
    mine = np.mean([pooled(ranks) for ranks in seeds], axis=0)
    by_name = {name: float(pooled(trained.ranks).mean()) for name, trained in theirs.items()}
    order = sorted(by_name, key=lambda name: -by_name[name])
    best, key = theirs[order[0]], order[0].lower()
    difference, ratio = paired(mine, pooled(best.ranks), users)
    test = best.ranks["test"]
    return [
        Figure("loo_over_best_recbole", ratio.value, "×", ">= 1.1"),
        Figure("loo_over_best_recbole_low", ratio.low, "×"),
        Figure("loo_over_best_recbole_high", ratio.high, "×"),
        Figure("loo_less_best_recbole", difference.value, "NDCG@10"),
        Figure("loo_less_best_recbole_low", difference.low, "NDCG@10", ">= 0"),
        Figure("recbole_models", len(theirs), "trained"),
        Figure(f"{key}_ndcg_at_10", ndcg_at(_DEPTH, test), "test"),
        Figure(f"{key}_hr_at_10", hit_rate_at(_DEPTH, test), "test"),
        Figure(f"{key}_mrr_at_10", mrr_at(_DEPTH, test), "test"),
        Figure("pooled_ndcg_at_10", float(mine.mean()), "ours"),
        *(Figure(f"{name.lower()}_pooled_ndcg_at_10", by_name[name], _course_of(theirs[name])) for name in order),
    ]


def _course_of(trained: Trained) -> str:
    return f"after {trained.epochs} epochs on {trained.device}"


def main() -> None:
    """Measure and save."""
    settings = load_settings()
    dataset = load_dataset("movielens-100k")
    state = settings.state.model_copy(update={"rating_scale": dataset.rating_scale})
    settings = settings.model_copy(update={"state": state})
    items = item_texts(dataset, settings)
    log = read_log(dataset.events, items, dataset.rating_scale)
    asked = {"validation": leave_one_out(log, back=2), "test": leave_one_out(log)}
    theirs = {name: recbole(name, asked) for name in sys.argv[1:] or MODELS}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(ours, asked, items, settings, seed) for seed in SEEDS]
        found = figures(asked, theirs, [each.result() for each in running])
    for figure in found:
        print(f"{figure.key}: {figure.value:.4f} {figure.unit}")
    print(save("recbole", found))


if __name__ == "__main__":
    main()
