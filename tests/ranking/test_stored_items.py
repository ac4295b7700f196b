"""Slates and indexes are the same whether item vectors came with the model or are projected at the start."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import faiss
import numpy as np
import pytest

from index.filling import fill
from index.inverted_lists import InvertedLists
from streams.settings import Settings, load_settings
from streams.settings.training import TrainingSettings
from tests.ranking import worlds
from tests.ranking.making import USERS, numbers
from tests.ranking.test_swap import count
from tests.ranking.told import announced
from tests.ranking.worlds import NOW_MS
from workers.ranking.generation import Generation
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.serving import Model
from workers.ranking.pipeline import Pipeline
from workers.ranking.world import World

CHANGED, GONE = (3, 12, 55), (5, 57)


def another_text(number: int) -> dict[str, object]:
    return {"vector": worlds.item(number + 10_000).vector} if number in CHANGED else {}


@contextmanager
def both(bundle: Bundle, chosen: Settings, items: int) -> Iterator[tuple[Generation, Generation]]:
    """Yield generations of the bundle and of the same without vectors; some texts changed, some items went."""
    made = []
    for told in (bundle, replace(bundle, stored=None)):
        catalogue = worlds.catalogue(chosen, items, another_text)
        for number in GONE:
            catalogue.delete(worlds.item_id(number))
        made.append(Generation(Model(told), catalogue, chosen))
    yield made[0], made[1]
    for generation in made:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()


@pytest.mark.parametrize("second", [False, True])
def test_slates_are_the_same_and_stay_so_while_items_change(second: bool) -> None:
    chosen = worlds.settings()
    bundle = worlds.bundle(known=50, stored=60, second=worlds.second_stage(50) if second else None)
    with both(bundle, chosen, 65) as generations:
        pipelines = [Pipeline(generation, chosen) for generation in generations]

        def assert_same() -> None:
            told, projected = (pipeline.recommend(USERS, NOW_MS) for pipeline in pipelines)
            for one, other in zip(told, projected, strict=True):
                assert numbers(one) == numbers(other)
                np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
                assert one.reasons == other.reasons
            taken, made = (generation.item_matrix[:66] for generation in generations)
            np.testing.assert_allclose(taken, made, atol=1e-5)

        assert_same()
        for number, fields in ((12, {}), (20, another_text(12)), (57, {}), (65, {})):  # the first as it once was
            for generation in generations:
                generation.refresh([generation.catalogue.put(worlds.item(number, **fields))])
            assert_same()
        for generation in generations:
            row = generation.catalogue.delete(worlds.item_id(30))
            assert row is not None
            generation.refresh([row])
        assert_same()


def test_lists_of_a_start_are_those_of_a_fill_and_only_changed_items_were_searched_for() -> None:
    faiss.omp_set_num_threads(1)
    chosen = load_settings(index={"exact_below": 0})
    bundle = worlds.bundle(known=900, stored=1_300, index=chosen.index)
    assert bundle.stored is not None
    assert bundle.stored.assigned is not None
    with patch("index.inverted_lists.fill", wraps=fill) as filled, both(bundle, chosen, 1_310) as generations:
        found = []
        for generation in generations:
            generation.index.close()  # waits for the lists
            lists = generation.index._tiers.main._structure
            assert isinstance(lists, InvertedLists)
            found.append(lists)
        given = [call.args[2] for call in filled.call_args_list if call.args[2] is not None]
        assert sorted((each < 0).sum() for each in given) == [len(CHANGED) + 10, 1_310 - len(GONE)]
        told, searched = found
        np.testing.assert_array_equal(told.assigned, searched.assigned)
        assert told.probes == searched.probes
        queries = np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32)
        one, other = (generation.index.search(queries, 20) for generation in generations)
        np.testing.assert_array_equal(one.keys, other.keys)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        known = generations[0]._assigned.rows[:1_310]
        np.testing.assert_array_equal(np.flatnonzero(known < 0), [*CHANGED, *range(1_300, 1_310)])
        held = np.setdiff1d(np.arange(1_300), CHANGED)
        np.testing.assert_array_equal(known[held], bundle.stored.assigned[held])


def test_a_catalogue_that_outgrows_its_arrays_keeps_its_lists() -> None:
    chosen = load_settings(index={"exact_below": 0})
    bundle = worlds.bundle(known=1_200, stored=1_200, index=chosen.index)
    with both(bundle, chosen, 1_200) as (generation, _):
        catalogue = generation.catalogue
        before = len(catalogue.available)
        generation.refresh([catalogue.put(worlds.item(number)) for number in range(1_200, before + 1)])
        assert len(generation._assigned.rows) == len(generation.item_matrix) == len(catalogue.available) > before
        generation.index.compact()
        lists = generation.index._tiers.main
        assert lists.count == before + 1 - len(GONE)
        assert lists.trained is not None
        assert lists.trained.assigned is not None


def test_vectors_that_are_damaged_or_no_numbers_are_refused_and_the_old_model_stays(
    world: World, tmp_path: Path
) -> None:
    announced(worlds.bundle(0, stored=60), tmp_path / "good")
    world.follow()
    before, refused = world.generation, count("models_refused_total")
    assert before is not None

    announced(worlds.bundle(1, stored=60), tmp_path / "damaged")
    file = tmp_path / "damaged" / "vectors.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    world.follow()
    assert world.generation is before
    assert count("models_refused_total") == refused + 1

    fine = worlds.bundle(2, stored=60)
    assert fine.stored is not None
    fine.stored.vectors[7, 3] = np.nan  # sealed below as if training had given it
    announced(resealed(fine), tmp_path / "nan")
    world.follow()
    assert world.generation is before
    assert count("models_refused_total") == refused + 2

    file.write_bytes(whole)
    announced(worlds.bundle(1, stored=60), tmp_path / "damaged")
    world.follow()
    assert world.generation is not before


def resealed(bundle: Bundle) -> Bundle:
    """Return a bundle whose manifest is of what it holds now."""
    manifest = bundle.manifest
    return Bundle.of(
        Model(replace(bundle, stored=None))._towers,
        bundle.items,
        encoder_id=manifest.encoder_id,
        rating_scale=manifest.rating_scale,
        settings=TrainingSettings(),
        data=manifest.data,
        metrics=manifest.metrics,
        created_at=manifest.created_at,
        stored=bundle.stored,
    )
