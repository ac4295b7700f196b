"""The demo's own questions put to the demo's own model without the demo: what the service could score at best."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from streams.contracts import Event, EventType
from streams.settings import load_settings
from workers.datasets.contract import Dataset
from workers.evaluate import item_texts
from workers.ranking.evaluation.evaluate import read_log
from workers.ranking.evaluation.learned import Reranked, mask_seen
from workers.ranking.evaluation.metrics import ranks_of
from workers.ranking.evaluation.protocols import Questions, positions
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.evaluation.systems import OrPopular
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model

_DEPTH = 10
_AT_ONCE = 1_000


def ndcg_at_10(dataset: Dataset, bundle: Path, newest: int) -> float:
    """Return NDCG@10 of a bundle over the newest events of a data set, each foretold before it is applied.

    Counted as the demo counts: an event that repeats an item is a miss, because what was seen is in no slate.

    Raises:
        ValueError: the log does not hold each event of the data set once.
    """
    torch.set_num_threads(1)
    settings = load_settings()
    items = item_texts(dataset, settings)
    log = read_log(dataset.events, items, dataset.rating_scale)
    questions = asked(dataset.events, log, newest).in_time()
    retrieval = Retrieval(Model(Bundle.load(bundle)), items, settings)
    system = OrPopular(Reranked(retrieval), len(items.item_ids))
    gain = 0.0
    for start in range(0, len(questions.ends), _AT_ONCE):
        part = questions.part(np.arange(start, min(start + _AT_ONCE, len(questions.ends))))
        ranks = ranks_of(mask_seen(system.scores(part), part), part.targets)
        gain += float(np.where(ranks < _DEPTH + 1, 1 / np.log2(ranks + 1), 0.0).sum())
    return gain / sum(_tests(event) for event in dataset.events[-newest:])


def asked(events: Sequence[Event], log: Sequences, newest: int) -> Questions:
    """Return the questions that a replay of the `newest` of `events` puts; those about a repeat are left out.

    Raises:
        ValueError: as `ndcg_at_10`.
    """
    told = [event for event in events if _tests(event)]
    if len(told) != len(log.starts):
        raise ValueError(f"the log holds {len(log.starts)} of {len(told)} events")
    replayed = np.array([_tests(event) for event in events[-newest:]]).sum()
    users: dict[str, int] = {}
    numbers = np.array([users.setdefault(event.user_id, len(users)) for event in told])
    moments = np.array([event.event_time.timestamp() for event in told])
    later = np.lexsort((moments, numbers)) >= len(told) - replayed
    places = np.flatnonzero(later & log.is_first)
    return Questions(
        "replay",
        log,
        ~later,
        np.ones_like(later),
        log.starts[places],
        places,
        log.events.rows[places],
        positions(log)[places],
        log.starts[places],
    )


def _tests(event: Event) -> bool:
    return event.item_id is not None and event.event_type is not EventType.IMPRESSION
