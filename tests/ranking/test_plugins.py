"""Another package's source, filter, scorer and encoder serve once it is installed and the settings name them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from encoder.identity import encoder_id
from encoder.loading import load_encoder
from streams.contracts import UserState
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings
from tests.ranking import worlds
from tests.ranking.worlds import NOW_MS, clicks
from workers.ranking.candidates import Slate
from workers.ranking.pipeline import Pipeline, Stages

EXAMPLE = Path(__file__).parent.parent / "example_package"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example as a person would, in a folder of its own, and return that."""
    source, target = tmp_path_factory.mktemp("source") / "seaside", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*command, "--disable-pip-version-check", "--target", str(target), str(source)], check=True)
    return target


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(site))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "seaside"]:
        del sys.modules[name]


def recommend(*states: UserState, **ranking: object) -> list[Slate]:
    settings = worlds.settings(**ranking)
    generation = worlds.generation(settings)
    try:
        return Pipeline(generation, settings, Stages(settings)).recommend(states, NOW_MS)
    finally:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()


@pytest.mark.usefixtures("installed")
def test_a_source_of_another_package_proposes_and_is_the_reason() -> None:
    (slate,) = recommend(clicks("u", 1), sources=["alphabetical"])
    assert sorted(slate.rows.tolist()) == list(range(50, 60))
    assert all("alphabetical" in {reason.code for reason in reasons} for reasons in slate.reasons)


@pytest.mark.usefixtures("installed")
def test_a_filter_of_another_package_removes() -> None:
    (slate,) = recommend(clicks("u", 1), filters=["even"], slate_length=60)
    assert len(slate.rows)
    assert not (slate.rows % 2).any()


@pytest.mark.usefixtures("installed")
def test_a_scorer_of_another_package_orders_and_its_parts_are_published() -> None:
    (slate,) = recommend(clicks("u", 1), scorer="cheapest", sources=["popular"])
    assert slate.rows.tolist() == [0, *range(2, 11)]
    assert [set(parts) for parts in slate.parts] == [set(), *[{"cheap"}] * 9]  # row 0 scores 0


@pytest.mark.usefixtures("installed")
def test_an_encoder_of_another_package_encodes_under_an_id_of_its_own() -> None:
    settings = EncoderSettings(model="plugin:letters")
    encoder = load_encoder(settings)
    assert encoder.id == encoder_id(settings)
    assert encoder.id.startswith("plugin-letters-")
    assert encoder.dimension == 27
    vectors = encoder.encode_documents(["abba", "baba", "xyz", ""])
    np.testing.assert_allclose(vectors[0], vectors[1])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.usefixtures("installed")
def test_another_version_of_the_package_is_another_encoder(site: Path, tmp_path: Path) -> None:
    before = encoder_id(EncoderSettings(model="plugin:letters"))
    metadata = next(site.glob("seaside-*.dist-info")) / "METADATA"
    text = metadata.read_text()
    try:
        metadata.write_text(text.replace("Version: 2.1", "Version: 2.2"))
        assert encoder_id(EncoderSettings(model="plugin:letters")) != before
    finally:
        metadata.write_text(text)


@pytest.mark.usefixtures("installed")
def test_an_encoder_that_breaks_the_contract_is_refused() -> None:
    with pytest.raises(SettingError, match="unit length"):
        load_encoder(EncoderSettings(model="plugin:broken"))


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingError, match="names 'letters', which is not there"):
        encoder_id(EncoderSettings(model="plugin:letters"))
    for ranking in ({"sources": ["alphabetical"]}, {"filters": ["even"]}, {"scorer": "cheapest"}):
        with pytest.raises(SettingError, match="which is not there"):
            Stages(worlds.settings(**ranking))
