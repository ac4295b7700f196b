"""`make bench-quality`: how good the model is on MovieLens-100K, by every protocol of `headrace evaluate`.

Five trainings: three seeds of leave-one-out, one for the newest fifth of the events, one without the cold
items. Two of them run at a time, each on one thread.
"""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from streams.settings import Settings, load_settings
from tests.bench.report import Figure, save
from workers.datasets import load_dataset
from workers.datasets.contract import Dataset
from workers.evaluate import item_texts
from workers.ranking.evaluation.evaluate import PROTOCOLS, evaluate, read_log, training_set
from workers.ranking.model.serving import Model
from workers.ranking.model.training import ItemTexts, train_on

SHARE: Final = 0.2
SEEDS: Final = (0, 1, 2)
_SMOKE: Final = {"epochs": 1, "finish_epochs": 1, "reranker_epochs": 1, "width": 16, "layers": 1}


class Job(NamedTuple):
    """One training and the protocols that may use it; `changes` are made to the training settings."""

    protocols: tuple[str, ...]
    changes: dict[str, Any]


class Done(NamedTuple):
    """Results by protocol, and what the training took."""

    results: dict[str, dict[str, Any]]
    train_cpu_minutes: float


def jobs(*, smoke: bool) -> list[Job]:
    """Return the trainings."""
    if smoke:
        return [Job(("leave-one-out",), _SMOKE), Job(("prequential",), _SMOKE)]
    left_out = [Job(("leave-one-out", "validation"), {"seed": seed}) for seed in SEEDS]
    return [Job(("prequential",), {}), *left_out, Job(("cold-items",), {})]


def run(dataset: Dataset, items: ItemTexts, settings: Settings, job: Job) -> Done:
    """Train once and evaluate by each protocol; all of them learn from the same events."""
    torch.set_num_threads(1)
    log = read_log(dataset.events, items, dataset.rating_scale)
    asked = {name: PROTOCOLS[name](log, SHARE) for name in job.protocols}
    past = [questions.past for questions in asked.values()]
    if len({each.sha256() for each in past}) != 1:
        raise ValueError(f"{job.protocols} do not learn from the same events")
    training = settings.training.model_copy(update=job.changes)
    state = settings.state.model_copy(update={"rating_scale": dataset.rating_scale})
    before = time.process_time()
    bundle = train_on(*training_set(asked[job.protocols[0]], items), training, state, "evaluation")
    minutes = (time.process_time() - before) / 60
    model = Model(bundle)
    found = {name: evaluate(each, items, model, settings) for name, each in asked.items()}
    return Done(found, minutes)


def figures(done: Sequence[Done]) -> list[Figure]:
    """Return the figures of all jobs."""
    by_protocol: dict[str, list[dict[str, Any]]] = {}
    for each in done:
        for name, result in each.results.items():
            by_protocol.setdefault(name, []).append(result)

    def mean(protocol: str, system: str, measure: str) -> float:
        return float(np.mean([result["systems"][system][measure] for result in by_protocol[protocol]]))

    found = [
        Figure("loo_ndcg_at_10", mean("leave-one-out", "reranked", "ndcg_at_10"), "", ">= 0.125"),
        Figure("loo_hr_at_10", mean("leave-one-out", "reranked", "hr_at_10"), ""),
        Figure("loo_mrr_at_10", mean("leave-one-out", "reranked", "mrr_at_10"), ""),
        Figure("loo_towers_ndcg_at_10", mean("leave-one-out", "towers", "ndcg_at_10"), ""),
        Figure("loo_ease_decayed_ndcg_at_10", mean("leave-one-out", "ease_decayed", "ndcg_at_10"), ""),
        Figure("loo_coverage", mean("leave-one-out", "reranked", "coverage"), "of items"),
    ]
    if "validation" in by_protocol:
        found.append(Figure("loo_validation_ndcg_at_10", mean("validation", "reranked", "ndcg_at_10"), ""))
    stream = by_protocol["prequential"][0]
    against = stream["reranked_ndcg_at_10_against"]
    found += [
        Figure("stream_ndcg_at_10", mean("prequential", "reranked", "ndcg_at_10"), "", ">= 0.127"),
        Figure("stream_hr_at_10", mean("prequential", "reranked", "hr_at_10"), "", ">= 0.24"),
        Figure("stream_towers_ndcg_at_10", mean("prequential", "towers", "ndcg_at_10"), ""),
        Figure("stream_popularity_7d_ndcg_at_10", mean("prequential", "popularity_7d", "ndcg_at_10"), ""),
        Figure("stream_reranked_less_towers_ndcg", against["towers"]["difference"].value, ""),
        Figure("stream_reranked_less_towers_ndcg_low", against["towers"]["difference"].low, "", ">= 0"),
        Figure("recall_at_200", stream["union_recall_at_200"], "of next items", ">= 0.85"),
        Figure("recall_at_200_towers", mean("prequential", "towers", "recall_at_200"), "of next items"),
    ]
    if "cold-items" in by_protocol:
        found += [
            Figure("cold_items_hr_at_10", mean("cold-items", "reranked", "hr_at_10"), "", ">= 0.06"),
            Figure("cold_items_towers_hr_at_10", mean("cold-items", "towers", "hr_at_10"), ""),
            Figure("cold_items_text_mean_hr_at_10", mean("cold-items", "text_mean", "hr_at_10"), ""),
        ]
    minutes = float(np.mean([each.train_cpu_minutes for each in done]))
    return [*found, Figure("train_cpu_minutes", minutes, "min", "<= 3")]


def main() -> None:
    """Measure and save; with `--smoke`, only show that small trainings on the made-up data set work."""
    smoke = "--smoke" in sys.argv
    settings = load_settings()
    dataset = load_dataset("sample" if smoke else "movielens-100k")
    items = item_texts(dataset, settings)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(run, dataset, items, settings, job) for job in jobs(smoke=smoke)]
        found = figures([each.result() for each in running])
    for figure in found:
        print(f"{figure.key}: {figure.value:.4f} {figure.unit}")
    if not smoke:
        print(save("quality", found))


if __name__ == "__main__":
    main()
