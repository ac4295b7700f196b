"""One protocol from start to end: ask a model and the baselines, measure, compare."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

import numpy as np

from streams.contracts import Event
from streams.settings import Settings
from streams.settings.state import RatingScale
from workers.ranking.evaluation import protocols
from workers.ranking.evaluation.acting import Weighted, action_measures, worth_at
from workers.ranking.evaluation.added import WithCrossEncoder, WithIsolated
from workers.ranking.evaluation.curves import by_day, by_history, calibration
from workers.ranking.evaluation.learned import Reranked, Towers
from workers.ranking.evaluation.measuring import DEPTH, Answered, ask, compared, summary
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.recall import RECALL_DEPTH, UNION, recalls
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.evaluation.systems import OrPopular, System, baselines
from workers.ranking.model.features import unit_texts
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.sequences import Sequences, read_events
from workers.ranking.model.serving import Model
from workers.ranking.model.training import ItemTexts
from workers.ranking.model.worth import check_actions

LEARNED: Final = ("towers", "reranked", "isolated", "cross_encoder")
"""Systems that say how probable each item is; the others only put them in order."""
COLD_SHARE: Final = 0.1
COLD_QUESTIONS: Final = 4_000

PROTOCOLS: Final[dict[str, Callable[[Sequences, float], Questions]]] = {
    "leave-one-out": lambda log, _: protocols.leave_one_out(log),
    "validation": lambda log, _: protocols.leave_one_out(log, back=2),
    "time-split": protocols.time_split,
    "prequential": protocols.prequential,
    "cold-items": lambda log, _: protocols.cold_items(log, COLD_SHARE, COLD_QUESTIONS),
}


def read_log(events: Sequence[Event], items: ItemTexts, scale: RatingScale) -> Sequences:
    """Return the log whose rows count `items`."""
    return read_events(events, items.item_ids, scale)[0]


def training_set(questions: Questions, items: ItemTexts) -> tuple[Sequences, ItemTexts]:
    """Return what a model may learn from, to be asked `questions`: the past, and the catalogue of then."""
    there = np.setdiff1d(np.arange(len(items.item_ids)), questions.new)
    past = questions.past
    rows = np.searchsorted(there, past.events.rows)
    known = ItemTexts(tuple(items.item_ids[row] for row in there.tolist()), items.text_vectors[there])
    return past._replace(events=past.events._replace(rows=rows)), known


def evaluate(
    questions: Questions, items: ItemTexts, model: Model, settings: Settings | None = None
) -> dict[str, Any]:
    """Return what a model, its sources and the baselines score on these questions, ready for JSON.

    Args:
        model: learned from nothing but `questions.past`.
        settings: how the model serves: its sources, candidates, exploration. With `ranking.action_weights` it is
            also measured as it ranks by them. None takes the defaults.

    Raises:
        DataError: the model foretells nothing of an action that has a weight.
        SettingError: the settings name a source that is not there.
    """
    settings = Settings() if settings is None else settings
    weights = {action: weight for action, weight in settings.ranking.action_weights.items() if weight}
    check_actions(model, weights)
    questions = questions.in_time()  # which is how the sources are asked in one pass
    texts = unit_texts(items.text_vectors, items.text_vectors.mean(axis=0))
    count = len(items.item_ids)
    with closing(Retrieval(model, items, settings)) as retrieval:
        systems = _systems(questions, texts, retrieval)
        best = "reranked" if "reranked" in systems else "towers"
        if weights:
            learned = Towers(model, items) if model.rescorer is None else Reranked(retrieval)
            systems["weighted"] = OrPopular(Weighted(model, items, learned, weights), count)
        answered = ask(questions, systems, count, retrieval, LEARNED)
    worths = {name: {"worth_at_10": worth_at(name, answered, weights)} if weights else {} for name in systems}
    found = recalls(answered.found)
    return {
        "protocol": questions.name,
        "questions": len(questions.ends),
        "users": len(np.unique(questions.users)),
        "learned_from_events": int(questions.train.sum()),
        "model": model.version,
        "systems": {name: _measured(name, answered, texts) | worths[name] for name in systems},
        "actions": action_measures(questions, model, items),
        "action_weights": weights,
        "candidates": found,
        f"{UNION}_recall_at_{RECALL_DEPTH}": found[UNION][f"recall_at_{RECALL_DEPTH}"] if found else 0.0,
        f"{best}_ndcg_at_{DEPTH}_against": {
            name: compared(best, name, answered) for name in systems if name != best
        },
    }


def _systems(questions: Questions, unit_texts: Matrix, retrieval: Retrieval) -> dict[str, System]:
    model, items = retrieval.model, retrieval.items
    learned: dict[str, System] = {"towers": Towers(model, items)}
    if model.rescorer is not None:
        learned["reranked"] = Reranked(retrieval)
        if model.isolated is not None:
            learned["isolated"] = WithIsolated(retrieval)
        if model.cross is not None:
            learned["cross_encoder"] = WithCrossEncoder(retrieval)
    count = len(items.item_ids)
    return dict(baselines(questions, unit_texts)) | {
        name: OrPopular(system, count) for name, system in learned.items()
    }


def _measured(name: str, answered: Answered, unit_texts: Matrix) -> dict[str, Any]:
    found: dict[str, Any] = dict(summary(name, answered, unit_texts))
    if foretold := calibration(name, answered):
        found |= {"calibration_error": foretold["error"], "calibration": foretold}
    return found | {"by_history": by_history(name, answered), "by_day": by_day(name, answered)}
