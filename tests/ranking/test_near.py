"""Neighbour lists and the text index are what a search by hand finds, and follow the catalogue."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.ranking import worlds
from workers.ranking.generation import Generation
from workers.ranking.neighbours import NeighbourLists

SETTINGS = worlds.settings(neighbours=5, text_candidates=5)


@pytest.fixture
def generation() -> Iterator[Generation]:
    made = worlds.generation(SETTINGS)
    yield made
    made.close()
    assert made.texts is not None
    made.texts.close()


def nearest(generation: Generation, row: int, count: int) -> list[int]:
    """Return what is nearest to a row, by hand."""
    live = np.flatnonzero(generation.catalogue.available[: len(generation.catalogue)])
    live = live[live != row]
    scores = generation.item_matrix[live] @ generation.item_matrix[row]
    found: list[int] = live[np.argsort(-scores, kind="stable")][:count].tolist()
    return found


def of(generation: Generation, *rows: int) -> list[list[int]]:
    found = generation.neighbours.of(np.array(rows), generation.index, generation.item_matrix)
    lists: list[list[int]] = found.tolist()
    return lists


def test_neighbours_are_the_nearest_others(generation: Generation) -> None:
    rows = [3, 17, 3, 40]
    assert of(generation, *rows) == [nearest(generation, row, 5) for row in rows]
    assert of(generation, 17, 41) == [nearest(generation, row, 5) for row in (17, 41)]


def test_neighbours_follow_an_item_that_changed_and_all_do_when_many_have(generation: Generation) -> None:
    of(generation, *range(60))
    changed = worlds.item(200)  # another text under the id of item 3
    generation.refresh([generation.catalogue.put(worlds.item(3, vector=changed.vector))])
    assert of(generation, 3) == [nearest(generation, 3, 5)]
    for number in range(10, 20):
        generation.refresh([generation.catalogue.put(worlds.item(number, available=False))])
    assert of(generation, *range(10)) == [nearest(generation, row, 5) for row in range(10)]


def test_a_catalogue_smaller_than_a_list_leaves_places_empty() -> None:
    made = worlds.generation(worlds.settings(neighbours=5), count=3)
    lists = NeighbourLists(5)
    found = lists.of(np.array([0]), made.index, made.item_matrix)[0].tolist()
    assert set(found) == {1, 2, -1}
    assert found.count(-1) == 3
    made.close()
    assert made.texts is not None
    made.texts.close()


def test_texts_are_near_the_mean_of_a_taste_about_the_mean_of_all(generation: Generation) -> None:
    vectors = generation.catalogue.text_vectors[:60]
    centred = vectors - vectors.mean(axis=0)
    taste = np.array([4, 9])
    expected = np.argsort(-(centred @ centred[taste].mean(axis=0)), kind="stable")[:5]
    assert generation.texts is not None
    assert set(generation.texts.around([taste], 5)[0].tolist()) == set(expected.tolist())
    gone = int(expected[0])
    generation.refresh([generation.catalogue.put(worlds.item(gone, available=False))])
    assert gone not in generation.texts.around([taste], 5)[0]
