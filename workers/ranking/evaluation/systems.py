"""What is compared: anything that gives every item a score for every question."""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from workers.ranking.evaluation.protocols import Questions, positions
from workers.ranking.model.covisitation import covisitation_lists
from workers.ranking.model.ease import RIDGE, ease_lists, gram
from workers.ranking.model.neighbours import Matrix, Neighbours

DAY_MS: Final = 86_400_000.0
POPULAR_DAYS: Final = 7.0
"""Half-life of an event for users of whom nothing is known."""
HALF_LIFE_EVENTS: Final = 5.0
COVISITED_HALF_LIFE_EVENTS: Final = 2.0
MOST_ITEMS: Final = 20_000
"""Of the linear baselines, which are dense matrices of items here."""


class System(Protocol):
    """A recommender under test."""

    def scores(self, questions: Questions) -> Matrix:
        """Return float32 (n, items), higher is better; what was seen is masked by the caller, alike for all."""


class Popularity:
    """How often each item was taken, up to the moment of the question.

    The decay to the moment of the question is the same for all items, so that its time cannot leak.

    Args:
        half_life_days: of an event; None counts all alike.
    """

    def __init__(self, items: int, half_life_days: float | None = None) -> None:
        self._items, self._half_life_days = items, half_life_days

    def scores(self, questions: Questions) -> Matrix:
        """Return the counts, as log1p."""
        log = questions.log
        order = np.argsort(positions(log), kind="stable")
        times_ms = log.events.times_ms[order].astype(np.float64)
        rows = np.where(questions.counted, log.events.rows, -1)[order]
        found = np.zeros((len(questions.ends), self._items), np.float32)
        counts, start, moment_ms = np.zeros(self._items), 0, float(times_ms[0]) if len(order) else 0.0
        for place in np.argsort(questions.applied, kind="stable").tolist():
            end = int(questions.applied[place])
            if end > start:
                newest_ms = float(times_ms[end - 1])
                counts *= self._decay(np.array(newest_ms - moment_ms))
                weights = self._decay(newest_ms - times_ms[start:end])
                here = rows[start:end] >= 0
                counts += np.bincount(rows[start:end][here], weights[here], minlength=self._items)
                start, moment_ms = end, newest_ms
            found[place] = np.log1p(counts)
        return found

    def _decay(self, ages_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        half_life_ms = np.inf if self._half_life_days is None else self._half_life_days * DAY_MS
        return np.asarray(0.5 ** (ages_ms / half_life_ms), np.float64)


class Linear:
    """A decayed history times an item-to-item matrix.

    Args:
        weights: float32 (items, items), from an item of the history to the item that is scored.
        half_life_events: how many later events take half of an event's weight; None is no decay.
    """

    def __init__(self, weights: Matrix, half_life_events: float | None) -> None:
        self._weights, self._half_life = weights, half_life_events

    def scores(self, questions: Questions) -> Matrix:
        """Return the sums."""
        return np.asarray(histories(questions, len(self._weights), self._half_life) @ self._weights)


class Nearest:
    """A decayed history times the texts' cosines, which are never written out: items × items is too many.

    Args:
        vectors: float32 (items, d), of unit length.
    """

    def __init__(self, vectors: Matrix, half_life_events: float | None) -> None:
        self._vectors, self._half_life = vectors, half_life_events

    def scores(self, questions: Questions) -> Matrix:
        """Return the sums of weighted cosines."""
        tastes = histories(questions, len(self._vectors), self._half_life) @ self._vectors
        return np.asarray(tastes @ self._vectors.T)


class OrPopular:
    """A system that needs a history, and popularity of the week where there is none."""

    def __init__(self, system: System, items: int) -> None:
        self._system, self._popular = system, Popularity(items, POPULAR_DAYS)

    def scores(self, questions: Questions) -> Matrix:
        """Return the system's scores, or popularity's."""
        empty = np.flatnonzero(questions.ends == questions.starts)
        found = self._system.scores(questions)
        if len(empty):
            found[empty] = self._popular.scores(questions.part(empty))
        return found


def baselines(questions: Questions, unit_texts: Matrix) -> Mapping[str, System]:
    """Return what every model must beat, made from the events to learn from.

    Args:
        unit_texts: float32 (items, d), centred, of unit length.
    """
    items, past = len(unit_texts), questions.past
    found: dict[str, System] = {
        "popularity_all": Popularity(items),
        "popularity_7d": Popularity(items, 7.0),
        "text_mean": OrPopular(Nearest(unit_texts, HALF_LIFE_EVENTS), items),
    }
    if items <= MOST_ITEMS:
        users, rows = past.starts, past.events.rows
        every = np.arange(items)
        ease = dense(ease_lists(gram(users, rows, every), every, items, items, RIDGE))
        covisited = dense(covisitation_lists(users, rows, items, items))
        found["ease_decayed"] = OrPopular(Linear(ease, HALF_LIFE_EVENTS), items)
        found["covisitation"] = OrPopular(Linear(covisited, COVISITED_HALF_LIFE_EVENTS), items)
    return found


def dense(lists: Neighbours) -> Matrix:
    """Return lists of all items as a matrix, float32 (items, items)."""
    items = len(lists.items)
    found = np.zeros((items, items + 1), np.float32)
    np.put_along_axis(found, np.where(lists.items < 0, items, lists.items).astype(np.int64), lists.weights, axis=1)
    return found[:, :items]


def histories(questions: Questions, items: int, half_life_events: float | None) -> Matrix:
    """Return the histories as float32 (n, items); the newest event weighs 1."""
    found = np.zeros((len(questions.ends), items), np.float32)
    rows = questions.log.events.rows
    for line, start, end in zip(found, questions.starts.tolist(), questions.ends.tolist(), strict=True):
        ages = np.arange(end - start)[::-1]
        weights = np.ones(end - start) if half_life_events is None else 0.5 ** (ages / half_life_events)
        np.add.at(line, rows[start:end], weights.astype(np.float32))
    return found
