"""What goes with a history, against plain loops; the two ways to sum agree."""

import numpy as np
import pytest

from workers.ranking.model import related as module
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.related import related

ITEMS, WIDTH, USERS, EVENTS = 40, 6, 12, 9
HALF_LIFE = 4.0


def world(seed: int = 0) -> tuple[Neighbours, np.ndarray, list[np.ndarray]]:
    draws = np.random.default_rng(seed)
    items = np.stack([draws.permutation(ITEMS)[:WIDTH] for _ in range(ITEMS)]).astype(np.int32)
    weights = draws.standard_normal((ITEMS, WIDTH)).astype(np.float32)
    items[3, 4:], weights[3, 4:] = -1, 0
    sources = draws.integers(0, ITEMS, (USERS, EVENTS))
    sources[1, 5:] = -1
    sources[2] = -1
    return Neighbours(items, weights), sources, [np.append(draws.integers(0, ITEMS, 5), -1) for _ in range(USERS)]


@pytest.mark.parametrize("dense", [0, ITEMS])
def test_the_heaviest_unseen_items_come_first(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DENSE", dense)
    lists, sources, seen = world()
    found = related(lists, sources, 7, HALF_LIFE, seen)
    for line, own, got in zip(sources, seen, found, strict=True):
        sums = np.zeros(ITEMS)
        for age, source in enumerate(line):
            for item, weight in zip(lists.items[source], lists.weights[source], strict=True):
                if source >= 0 and item >= 0 and item not in own:
                    sums[item] += weight * 0.5 ** (age / HALF_LIFE)
        expected = np.sort(sums[sums > 1e-6])[::-1][:7]
        np.testing.assert_allclose(sums[got], expected, atol=1e-5)


def test_nothing_goes_with_an_empty_history() -> None:
    lists, sources, seen = world()
    assert len(related(lists, sources, 7, HALF_LIFE, seen)[2]) == 0
