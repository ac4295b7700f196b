"""A bundle is whole or refused, and is announced under its own hash."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from index.inverted_lists import InvertedLists, TrainedLists
from streams.errors import DataError
from streams.settings.state import RatingScale
from streams.settings.training import TrainingSettings
from workers.ranking.announcements import Announcements
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import HALF_LIFE_MS, count_items
from workers.ranking.model.features import Evidence
from workers.ranking.model.manifest import DataFacts
from workers.ranking.model.neighbours import Neighbours
from workers.ranking.model.reranker import Reranker
from workers.ranking.model.second_stage import SecondStage
from workers.ranking.model.serving import Model
from workers.ranking.model.stored_items import StoredItems, digests
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.trends import TRENDS
from workers.ranking.registry import announcement, load_announced

SHAPE = Shape(text_dimension=8, known_items=3, width=8, layers=1, heads=2, history_length=4)


FILES = (
    "model.safetensors",
    "items.msgpack",
    "reranker.safetensors",
    "evidence.safetensors",
    "lists.safetensors",
    "vectors.safetensors",
    "manifest.json",
)


ROWS = np.random.default_rng(0).standard_normal((2_000, 8)).astype(np.float32)
LISTS = InvertedLists.built(ROWS, 0.9).trained
STORED = StoredItems(ROWS[:4], digests(ROWS[4:8]), np.zeros(4, np.int32))
"""Of three known items and one that was passed over."""


def second_stage() -> SecondStage:
    lists = [
        Neighbours(np.array([[1], [2], [-1]], np.int32), np.array([[0.5], [0.25], [0]], np.float32))
        for _ in range(2)
    ]
    return SecondStage(Reranker(4).state_dict(), Evidence(*lists), np.ones((3, TRENDS), np.float32))


def make_bundle(
    seed: int = 0, day: int = 1, stored: StoredItems | None = STORED, lists: TrainedLists | None = LISTS
) -> Bundle:
    rows, times_ms = np.array([0, 0, 2]), np.array([0, HALF_LIFE_MS, HALF_LIFE_MS])
    return Bundle.of(
        TwoTowers(SHAPE, seed=seed),
        count_items(["a", "b", "c"], rows, times_ms, HALF_LIFE_MS, ["unwanted"]),
        encoder_id="words",
        rating_scale=RatingScale(low=0, high=10),
        settings=TrainingSettings(),
        data=DataFacts(
            first_event_ms=0,
            last_event_ms=HALF_LIFE_MS,
            interactions=3,
            users=1,
            ignored={},
            sha256="0" * 64,
        ),
        metrics={"validation_ndcg_at_10": 0.25},
        created_at=datetime(2026, 1, day, tzinfo=UTC),
        second=second_stage(),
        lists=lists,
        stored=stored,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make_bundle().save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_loaded_bundle_is_the_saved_one(directory: Path) -> None:
    saved, loaded = make_bundle(), Bundle.load(directory, encoder_id="words", text_dimension=8)
    assert loaded.manifest == saved.manifest
    assert loaded.items.item_ids == ("a", "b", "c")
    np.testing.assert_allclose(loaded.items.popularity, [1.5, 0, 1])
    assert loaded.items.counts.tolist() == [2, 0, 1]
    assert all(torch.equal(loaded.weights[name], weight) for name, weight in saved.weights.items())
    assert Model(loaded).unmet(["a", "unwanted", "new"]).tolist() == [False, False, True]
    assert loaded.second is not None
    for name, tensor in second_stage().tensors().items():
        assert torch.equal(loaded.second.tensors()[name], tensor)
    lists = Model(loaded).lists
    assert lists is not None
    assert (lists.rows, lists.probes) == (LISTS.rows, LISTS.probes)
    assert InvertedLists.built(ROWS, 0.9, lists).trained is lists
    assert loaded.stored is not None
    for name, tensor in STORED.tensors().items():
        assert torch.equal(loaded.stored.tensors()[name], tensor)
    assert Model(loaded).rescorer is not None
    assert Model(loaded).rating_scale == RatingScale(low=0, high=10)


def test_what_was_saved_first_is_what_is_announced(directory: Path) -> None:
    again = make_bundle(day=2)
    stands = again.save(directory)
    assert stands.manifest == make_bundle(day=1).manifest != again.manifest
    announced = Announcements("m")
    for key, value in announcement(stands, directory.as_uri(), "m"):
        announced.apply(key, value)
    assert announced.champion is not None
    assert load_announced(announced.champion, "words").version == again.version


def test_version_names_what_was_learned_and_not_when() -> None:
    assert make_bundle(day=1).version == make_bundle(day=2).version
    assert make_bundle(seed=0).version != make_bundle(seed=1).version


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_byte_is_refused(name: str, directory: Path) -> None:
    path = directory / name
    whole = path.read_bytes()
    draws = np.random.default_rng(0)
    for place in {0, len(whole) - 1, *draws.integers(len(whole), size=60).tolist()}:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="Operator action"):
            Bundle.load(directory)


@pytest.mark.parametrize("name", FILES)
def test_missing_or_cut_file_is_refused(name: str, directory: Path) -> None:
    path = directory / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError):
        Bundle.load(directory)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        Bundle.load(directory)


def test_another_encoder_or_dimension_is_refused(directory: Path) -> None:
    with pytest.raises(DataError, match="encoder words, not of other"):
        Bundle.load(directory, encoder_id="other")
    with pytest.raises(DataError, match="8 numbers, not of 9"):
        Bundle.load(directory, text_dimension=9)


@pytest.mark.parametrize(
    "wrong",
    [
        STORED._replace(vectors=ROWS[:3]),
        STORED._replace(vectors=ROWS[:4, :7].copy()),
        STORED._replace(vectors=ROWS[:4].astype(np.float64)),
        STORED._replace(digests=STORED.digests[:3]),
        STORED._replace(digests=STORED.digests.astype(np.int32)),
        STORED._replace(assigned=np.zeros(3, np.int32)),
        STORED._replace(assigned=np.zeros(4, np.int64)),
        STORED._replace(assigned=np.full(4, -1, np.int32)),
        STORED._replace(assigned=np.full(4, LISTS.lists, np.int32)),
    ],
)
def test_vectors_of_another_catalogue_or_other_lists_are_refused(wrong: StoredItems, tmp_path: Path) -> None:
    make_bundle(stored=wrong).save(tmp_path / "bundle")
    with pytest.raises(DataError, match="do not fit the items and lists"):
        Bundle.load(tmp_path / "bundle")


def test_places_in_lists_that_are_not_there_are_refused(tmp_path: Path) -> None:
    make_bundle(lists=None).save(tmp_path / "bundle")
    with pytest.raises(DataError, match="do not fit the items and lists"):
        Bundle.load(tmp_path / "bundle")


def test_a_file_of_vectors_that_holds_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredItems, "tensors", lambda stored: {"rows": torch.from_numpy(stored.vectors)})
    make_bundle().save(tmp_path / "bundle")
    with pytest.raises(DataError, match="do not fit the items and lists"):
        Bundle.load(tmp_path / "bundle")


@pytest.mark.parametrize("stored", [None, STORED._replace(assigned=None)])
def test_a_bundle_without_vectors_or_without_their_lists_is_whole(
    stored: StoredItems | None, tmp_path: Path
) -> None:
    saved = make_bundle(stored=stored).save(tmp_path / "bundle")
    loaded = Bundle.load(tmp_path / "bundle").stored
    assert saved.stored is stored
    assert (loaded is None) == (stored is None)
    assert loaded is None or loaded.assigned is None


def test_a_second_stage_that_reads_other_features_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.ranking.model.bundle.Rescorer.feature_names", ("another",))
    with pytest.raises(DataError, match="reads other features"):
        Bundle.load(directory)


def test_saving_again_is_harmless_and_over_another_bundle_is_refused(directory: Path) -> None:
    make_bundle().save(directory)
    with pytest.raises(DataError, match="cannot be written"):
        make_bundle(seed=1).save(directory)
    assert Bundle.load(directory).version == make_bundle().version
    assert [path.name for path in directory.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("backwards", [False, True])
def test_announced_bundle_is_found_in_any_order_of_records(directory: Path, backwards: bool) -> None:
    bundle = make_bundle()
    records = announcement(bundle, directory.as_uri(), "shop")
    heard = Announcements("shop")
    for key, value in reversed(records) if backwards else records:
        assert heard.champion is None
        heard.apply(key, value)
    assert heard.champion is not None
    assert load_announced(heard.champion, "words", 8).version == bundle.version


def test_other_names_withdrawn_and_unreadable_announcements_do_not_serve(directory: Path) -> None:
    (version_key, version), (alias_key, alias) = announcement(make_bundle(), directory.as_uri(), "shop")
    heard, other = Announcements("shop"), Announcements("other")
    for key, value in ((version_key, version), (alias_key, alias), (alias_key, b"{"), (b"\xff", b"\xff")):
        heard.apply(key, value)
        other.apply(key, value)
    assert other.champion is None
    assert heard.champion is not None
    heard.apply(version_key, None)
    assert heard.champion is None


def test_bundle_that_is_not_the_announced_one_is_refused(directory: Path) -> None:
    def announced(bundle: Bundle, uri: str) -> None:
        heard = Announcements("shop")
        for key, value in announcement(bundle, uri, "shop"):
            heard.apply(key, value)
        assert heard.champion is not None
        load_announced(heard.champion, "words", 8)

    with pytest.raises(DataError, match="not the one announced"):
        announced(make_bundle(day=2), directory.as_uri())
    for uri in (
        "s3://bucket/bundle",
        "file://elsewhere/bundle",
        "file://[bad/bundle",
        "file:///a%00b",
        "file:",
        "",
    ):
        with pytest.raises(DataError, match="no file:// address"):
            announced(make_bundle(), uri)
    with pytest.raises(DataError, match="cannot be read"):
        announced(make_bundle(), f"file:///{'x' * 5_000}")
