"""A stored vector is that of the item's text or is not taken."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from index.filling import UNASSIGNED
from streams.settings.ranking import IndexSettings
from tests.ranking import worlds
from workers.ranking.model.serving import Model
from workers.ranking.model.stored_items import NOT_STORED, StoredItems, digests

KNOWN, STORED, ITEMS = 800, 1_200, 1_300
"""Of the items some are known by id, some were passed over, and some came later."""
BUNDLE = worlds.bundle(known=KNOWN, stored=STORED, index=IndexSettings(exact_below=0))
WITH, WITHOUT = Model(BUNDLE), Model(replace(BUNDLE, stored=None))
IDS = [worlds.item_id(number) for number in range(ITEMS)]
TEXTS = np.stack([np.frombuffer(worlds.item(number).vector, "<f4") for number in range(ITEMS)])


def test_a_catalogue_is_placed_to_the_bit_as_it_is_projected() -> None:
    placed = WITH.place(IDS[:STORED], TEXTS[:STORED])
    np.testing.assert_array_equal(placed.vectors, WITHOUT.project(IDS[:STORED], TEXTS[:STORED]))
    assert BUNDLE.stored is not None
    np.testing.assert_array_equal(placed.assigned, BUNDLE.stored.assigned)


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.integers(0, ITEMS - 1), max_size=60, unique=True), seed=st.integers(0, 2**32 - 1))
def test_any_items_with_any_texts_have_the_vectors_that_projecting_gives(numbers: list[int], seed: int) -> None:
    draws = np.random.default_rng(seed)
    ids, texts = [IDS[number] for number in numbers], TEXTS[numbers].reshape(-1, worlds.DIMENSION).copy()
    changed = draws.random(len(numbers)) < 0.5
    places = draws.integers(worlds.DIMENSION, size=len(numbers))
    texts[changed, places[changed]] *= np.float32(1 + 1e-6)  # the least that a text vector changes by, or so
    placed = WITH.place(ids, texts)
    np.testing.assert_allclose(placed.vectors, WITHOUT.project(ids, texts), atol=1e-5)
    untouched = ~changed & (np.array(numbers, np.int64) < STORED)
    np.testing.assert_array_equal(placed.assigned == UNASSIGNED, ~untouched)
    assert (WITHOUT.place(ids, texts).assigned == UNASSIGNED).all()


def test_what_a_model_says_of_ids_does_not_depend_on_what_is_stored() -> None:
    np.testing.assert_array_equal(WITH.numbers(IDS), np.where(np.arange(ITEMS) < KNOWN, np.arange(ITEMS), -1))
    np.testing.assert_array_equal(WITH.unmet(IDS), np.arange(ITEMS) >= STORED)
    np.testing.assert_array_equal(WITHOUT.unmet(IDS), WITH.unmet(IDS))


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5), width=st.integers(1, 9), bit=st.integers(0, 31))
def test_any_flipped_bit_of_a_text_vector_is_another_text(seed: int, rows: int, width: int, bit: int) -> None:
    draws = np.random.default_rng(seed)
    texts = draws.standard_normal((rows, width)).astype(np.float32)
    stored = StoredItems(np.zeros((rows, 2), np.float32), digests(texts))
    at = (draws.integers(rows), draws.integers(width))
    other = texts.view(np.uint32).copy()
    other[at] ^= np.uint32(1 << bit)
    holds = stored.holding(np.arange(rows), other.view(np.float32))
    np.testing.assert_array_equal(holds, np.arange(rows) != at[0])
    assert not stored.holding(np.full(rows, NOT_STORED), texts).any()


def test_digests_are_of_numbers_and_not_of_how_they_lie_in_memory() -> None:
    wide = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
    np.testing.assert_array_equal(digests(wide[::2, :4]), digests(wide[::2, :4].copy()))
    np.testing.assert_array_equal(digests(wide), [digests(wide[row : row + 1])[0] for row in range(6)])
    assert digests(wide[:0]).shape == (0,)
