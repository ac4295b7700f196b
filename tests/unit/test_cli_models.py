"""`headrace models`: what was announced, what serves, and another one in its place."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded import EmbeddedBroker
from streams.settings import Settings, load_settings
from tests.ranking import worlds
from tests.unit.test_cli import ended
from workers import announcing
from workers.announcing import announce, announcements
from workers.ranking.registry import announcement

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
    """Yield the settings of a broker on which two models are announced; the second serves."""
    monkeypatch.setattr(announcing, "encoder_id", lambda _: "words")
    with EmbeddedBroker() as broker:
        monkeypatch.setenv("HEADRACE_KAFKA__BOOTSTRAP_SERVERS", broker.bootstrap_servers)
        made = load_settings()
        for seed in (0, 1):
            directory = tmp_path / str(seed)
            records = announcement(worlds.bundle(seed).save(directory), directory.as_uri(), "headrace")
            announce(made, records)
        yield made


def serving(settings: Settings) -> str | None:
    champion = announcements(settings).champion
    return None if champion is None else champion.version


def test_an_earlier_model_can_serve_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (worlds.bundle(seed).version for seed in (0, 1))
    assert ended(monkeypatch, "models", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {row["version"]: row["serves"] for row in listed} == {first: False, second: True}
    assert ended(monkeypatch, "models", "serve", first) == 0
    assert serving(settings) == first
    assert ended(monkeypatch, "models", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "serves" in line] == [first]


def test_what_cannot_serve_changes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = serving(settings)
    assert ended(monkeypatch, "models", "serve", "unheard-of") == 3
    assert worlds.bundle(0).version in capsys.readouterr().err
    shutil.rmtree(tmp_path / "0")
    assert ended(monkeypatch, "models", "serve", worlds.bundle(0).version) == 3
    assert "cannot be read" in capsys.readouterr().err
    assert serving(settings) == before


def test_no_model_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedBroker() as broker:
        assert ended(monkeypatch, "models", "list", "--bootstrap-servers", broker.bootstrap_servers) == 0
    assert "headrace train" in capsys.readouterr().err
