"""What is asked of a recommender: which events to learn from, and which to foretell from what.

A target's own time is in no question: nobody knows it when a slate is made.
"""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from workers.ranking.model.histories import EventColumns
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers

Mask = npt.NDArray[np.bool_]
NOTHING: Integers = np.zeros(0, np.int64)


class Questions(NamedTuple):
    """A log, what may be learned from it, and n items to be foretold.

    Attributes:
        name: of the protocol.
        log: all events, by user, then time; rows count the catalogue.
        train: bool (e,), the events that a model may learn from.
        counted: bool (e,), the events that live counts and other users may know of, as far as they are applied; of
            each user the oldest.
        starts: int64 (n,), where the histories begin in the log.
        ends: int64 (n,), where they end; the newest event of a history is at `end - 1`.
        targets: int64 (n,), the row that came next.
        applied: int64 (n,), how many events of the log, by time, have been applied when the question is put.
        users: int64 (n,), any number that names the user.
        new: int64, rows of items that come into the catalogue after the events to learn from.
    """

    name: str
    log: Sequences
    train: Mask
    counted: Mask
    starts: Integers
    ends: Integers
    targets: Integers
    applied: Integers
    users: Integers
    new: Integers = NOTHING

    def part(self, places: Integers) -> Self:
        """Return the questions at `places`."""
        return self._replace(
            starts=self.starts[places],
            ends=self.ends[places],
            targets=self.targets[places],
            applied=self.applied[places],
            users=self.users[places],
        )

    def in_time(self) -> Self:
        """Return the questions in the order in which they are put."""
        return self.part(np.argsort(self.applied, kind="stable"))

    @property
    def past(self) -> Sequences:
        """Return the events to learn from."""
        return keep(self.log, self.train)


def keep(log: Sequences, kept: Mask) -> Sequences:
    """Return the events of a log where `kept`, bool (e,), is true."""
    events = EventColumns(*(column[kept] for column in log.events))
    users = log.starts[kept]
    return Sequences(events, np.searchsorted(users, users, side="left"), log.is_first[kept])


def positions(log: Sequences) -> Integers:
    """Return each event's place when all are ordered by time, int64 (e,); equal times stand by user."""
    found = np.empty(len(log.starts), np.int64)
    found[np.argsort(log.events.times_ms, kind="stable")] = np.arange(len(found))
    return found


def leave_one_out(log: Sequences, back: int = 1) -> Questions:
    """Ask for each user's newest event; the last two of every user are not learned from.

    Args:
        back: 1 asks for the last event, the test; 2 for the one before, the validation. The history of a
            question holds everything earlier, the validation event too.
    """
    first = np.unique(log.starts)
    last = np.append(first[1:], len(log.starts))
    train = np.ones(len(log.starts), np.bool_)
    for place in (1, 2):
        train[np.maximum(last - place, first)] = False
    long = last - first > back
    starts, ends = first[long], last[long] - back
    applied = positions(log)[ends - 1] + 1
    targets = log.events.rows[ends]
    new = log.is_first[ends]
    questions = Questions(f"leave_one_out_{back}", log, train, train, starts, ends, targets, applied, starts)
    return questions.part(np.flatnonzero(new))


def time_split(log: Sequences, share: float) -> Questions:
    """Ask for the first new item after a moment, from what was done before it, one question a user.

    Args:
        share: of the events, the newest; they are not learned from.
    """
    before, train = _cut(log, share)
    later = np.flatnonzero(~train & log.is_first)
    starts, first = np.unique(log.starts[later], return_index=True)
    asked = later[first]
    ends = starts + np.bincount(log.starts, train, minlength=len(train))[starts].astype(np.int64)
    applied = np.full(len(asked), before)
    questions = Questions("time_split", log, train, train, starts, ends, log.events.rows[asked], applied, starts)
    return questions.part(np.flatnonzero(ends > starts))


def prequential(log: Sequences, share: float) -> Questions:
    """Ask for each of the newest events before it is applied, as a streaming service must answer.

    Repeats of an item are applied but not asked for: what was seen is in no slate.
    """
    _, train = _cut(log, share)
    asked = np.flatnonzero(~train & log.is_first)
    return Questions(
        "prequential",
        log,
        train,
        np.ones_like(train),
        log.starts[asked],
        asked,
        log.events.rows[asked],
        positions(log)[asked],
        log.starts[asked],
    ).in_time()


def cold_items(log: Sequences, share: float, most: int, seed: int = 0, least_history: int = 3) -> Questions:
    """Ask for items that no event of the log has touched: a share of the items is taken out of it.

    Args:
        share: of the items that have any event.
        most: questions; more are sampled.
        least_history: events that a history must have without the cold items.
    """
    draws = np.random.default_rng(seed)
    items = np.unique(log.events.rows)
    cold = draws.permutation(items)[: max(1, int(share * len(items)))]
    is_cold = np.isin(log.events.rows, cold)
    kept = keep(log, ~is_cold)
    places = np.cumsum(~is_cold).astype(np.int64)  # of the events left, how many stand before and at each
    asked = np.flatnonzero(is_cold & log.is_first)
    starts = np.where(log.starts[asked] > 0, places[log.starts[asked] - 1], 0)
    ends = places[asked]
    questions = Questions(
        "cold_items",
        kept,
        np.ones(len(kept.starts), np.bool_),
        np.ones(len(kept.starts), np.bool_),
        starts,
        ends,
        log.events.rows[asked],
        np.full(len(asked), len(kept.starts)),
        log.starts[asked],
        np.sort(cold),
    )
    enough = np.flatnonzero(ends - starts >= least_history)
    return questions.part(np.sort(draws.permutation(enough)[:most]))


def _cut(log: Sequences, share: float) -> tuple[int, Mask]:
    before = round((1 - share) * len(log.starts))
    train: Mask = positions(log) < before
    return before, train
