"""How many of the next items the sources find, each alone and all together: what no score can mend later."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from workers.ranking.candidates import Candidates, member
from workers.ranking.catalogue import Rows
from workers.ranking.evaluation.protocols import Mask, Questions
from workers.ranking.evaluation.retrieval import Retrieved
from workers.ranking.model.signals import Integers

UNION: Final = "union"
RECALL_DEPTH: Final = 200
_DEPTHS: Final = (50, RECALL_DEPTH)
NOT_FOUND: Final = -1


class Found(NamedTuple):
    """Where the targets of n questions stand in the lists of one source, or of all together.

    Attributes:
        asked: bool (n,), whether the source was asked.
        places: int64 (n,), how many other unseen rows stand before the target; -1 where it is not named.
    """

    asked: Mask
    places: Integers


def found_by(retrieved: Retrieved, questions: Questions) -> dict[str, Found]:
    """Return where the targets are, by source, and for the union of them."""
    seen = [query.seen for query in retrieved.queries]
    found = {
        name: Found(retrieved.asked[name], _places(lists, seen, questions.targets))
        for name, lists in retrieved.proposals.items()
    }
    everyone = np.ones(len(questions.targets), np.bool_)
    return found | {UNION: Found(everyone, _places_by_merit(retrieved.candidates, questions.targets))}


def joined(parts: Sequence[Mapping[str, Found]]) -> dict[str, Found]:
    """Return what was found for all parts of the questions, in their order; nothing of no parts."""
    names = parts[0] if parts else ()
    return {name: Found(*map(np.concatenate, zip(*(part[name] for part in parts), strict=True))) for name in names}


def recalls(found: Mapping[str, Found]) -> dict[str, dict[str, float]]:
    """Return, by source and for the union, the share of questions that it is asked, and recall of all targets."""
    return {
        name: {"asked": _share(asked)}
        | {f"recall_at_{depth}": _share((places >= 0) & (places < depth)) for depth in _DEPTHS}
        for name, (asked, places) in found.items()
    }


def _share(mask: Mask) -> float:
    return float(mask.mean()) if len(mask) else 0.0


def _places(lists: Sequence[Rows], seen: Sequence[Rows], targets: Integers) -> Integers:
    found = np.full(len(targets), NOT_FOUND, np.int64)
    for number, (rows, known, target) in enumerate(zip(lists, seen, targets.tolist(), strict=True)):
        at = np.flatnonzero(rows == target)
        if len(at):
            before = np.unique(rows[: at[0]])
            found[number] = np.count_nonzero(~member(before, known))
    return found


def _places_by_merit(candidates: Candidates, targets: Integers) -> Integers:
    """Return the places in the order in which `Candidates.best` keeps: by merit, then by row."""
    found = np.full(len(targets), NOT_FOUND, np.int64)
    for number, span in enumerate(candidates.spans(len(targets))):
        at = np.flatnonzero(candidates.rows[span] == targets[number])
        if len(at):
            merits = candidates.merits[span]
            mine = merits[at[0]]
            found[number] = np.count_nonzero(merits > mine) + np.count_nonzero(merits[: at[0]] == mine)
    return found
