"""What the re-ranker learns from: the held-out end of the time line, before towers that have not learned it."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streams.settings.training import TrainingSettings
from workers.ranking.model.evidence import Counted
from workers.ranking.model.pair_features import pair_features
from workers.ranking.model.pools import Pools
from workers.ranking.model.reranker import FEATURES
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.signals import Integers
from workers.ranking.model.towers import UNKNOWN, TwoTowers

MOST_EXAMPLES: Final = 20_000
"""Events that it learns from; more are sampled."""
MOST_NAMELESS: Final = 4_000
"""Of them are also asked with some items known by their text alone; five weights learn from it."""
MOST_BYTES: Final = 512_000_000
"""Of all features; with longer lists of candidates there are fewer events."""
_A_MASK: Final = 500
"""Events between two draws of the nameless items."""
_AT_ONCE: Final = 256
"""Histories; the evidence of each is looked up for all its candidates at once."""


class Choices(NamedTuple):
    """Which of the towers' best came next, for n histories.

    Attributes:
        own: int64 (n,), the column of the item that came next.
        base: float32 (n, c), the towers' scores; `MASKED` where an item does not compete.
        found: float32 (n, c, FEATURES - 1), of `pair_features`.
        nameless: bool (n, c), candidates that stand here by their text alone.
    """

    own: Tensor
    base: Tensor
    found: Tensor
    nameless: Tensor

    def part(self, places: Integers) -> "Choices":
        """Return the histories at `places`."""
        return Choices(*(column[torch.from_numpy(places)] for column in self))


class Examples(NamedTuple):
    """All that the re-ranker learns from.

    Attributes:
        known: among items with names.
        new: where some stand by their text alone; empty where no identity is ever dropped in training.
    """

    known: Choices
    new: Choices


@torch.no_grad()
def examples_of(
    towers: TwoTowers,
    text_vectors: Tensor,
    sequences: Sequences,
    held_out: npt.NDArray[np.bool_],
    counted: Counted,
    *,
    settings: TrainingSettings,
) -> Examples:
    """Return the held-out events whose item is among the towers' best before it, a user's first with it.

    Args:
        towers: that have not learned the held-out events.
        text_vectors: float32 (known items, text_dimension), on the device of the towers.
        sequences: all events; rows count the known items.
        held_out: bool (e,).
        counted: evidence of all events, looked up without the user's own fold.
    """
    draws = np.random.default_rng([settings.seed, 5])
    past = sequences.reordered(draws)  # events of one moment have no order, as for the towers
    asked = np.flatnonzero(held_out & past.is_first & (past.starts < np.arange(len(past.starts))))
    asked = draws.permutation(asked)
    items = len(text_vectors)
    candidates = min(settings.reranker_candidates, items)
    a_choice = candidates * FEATURES * 4
    asked = asked[: min(MOST_EXAMPLES, max(1, MOST_BYTES // a_choice))]
    identities = torch.arange(1, items + 1, device=text_vectors.device)
    named, nameless = (towers.eval().item(text_vectors, ids) for ids in (identities, identities * 0 + UNKNOWN))

    def choices(events: Integers, is_nameless: Tensor) -> Choices:
        lacks = is_nameless.to(named.device)[:, None]
        vectors = torch.where(lacks, nameless, named) if is_nameless.any() else named
        pools = Pools(towers, vectors, None, None, candidates)
        return _choices(pools, past, np.sort(events), counted, is_nameless)

    nobody = torch.zeros(items, dtype=torch.bool)
    new = [choices(asked[:0], nobody)]
    for first in range(0, min(len(asked), MOST_NAMELESS) if settings.id_dropout else 0, _A_MASK):
        drawn = torch.from_numpy(draws.random(items) < settings.id_dropout)
        new.append(choices(asked[first : min(first + _A_MASK, MOST_NAMELESS)], drawn))
    return Examples(choices(asked, nobody), Choices(*map(torch.cat, zip(*new, strict=True))))


def _choices(pools: Pools, past: Sequences, events: Integers, counted: Counted, is_nameless: Tensor) -> Choices:
    pool = pools.all_of(past, events, most=len(is_nameless))  # all that the towers name
    is_own = pool.items == torch.from_numpy(past.events.rows[events])[:, None]
    inside = is_own.any(1)
    pool, own = pool.of(inside), is_own[inside].int().argmax(1)
    count, width = pool.items.shape
    found = np.empty((count, width, FEATURES - 1), np.float32)
    for first in range(0, count, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        rows = pair_features(counted, past, pool.events[part], pool.items[part].numpy(), crossed=True)
        found[part] = rows.reshape(-1, width, FEATURES - 1)
    return Choices(own, pool.base, torch.from_numpy(found), is_nameless[pool.items])
