"""Training is written down where the settings say; a log that fails costs no model."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from streams.errors import SettingError
from streams.settings.training import NOT_LEARNED, TrainingSettings
from tests.ranking import worlds
from workers.ranking.model.course import Epoch
from workers.tracking import tracked

SETTINGS = TrainingSettings(mlflow_uri="http://127.0.0.1:1", epochs=3)


class Recorded:
    """Stands for MLflow's client: keeps what it is told, and fails from the `fails_from`-th metric on."""

    fails_from = 10**9
    made: list["Recorded"] = []  # noqa: RUF012

    def __init__(self, tracking_uri: str) -> None:
        self.uri, self.params, self.metrics, self.tags = (
            tracking_uri,
            dict[str, Any](),
            list[Any](),
            dict[str, str](),
        )
        self.status: str | None = None
        self.made.append(self)

    def get_experiment_by_name(self, name: str) -> None:
        assert name == "headrace"

    def create_experiment(self, name: str) -> str:
        return f"experiment of {name}"

    def create_run(self, experiment: str) -> SimpleNamespace:
        assert experiment == "experiment of headrace"
        return SimpleNamespace(info=SimpleNamespace(run_id="run"))

    def log_param(self, _: str, name: str, value: object) -> None:
        self.params[name] = value

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        if len(self.metrics) >= self.fails_from:
            raise ConnectionError("the server has gone")
        self.metrics.append((run, name, value, step))

    def set_tag(self, _: str, name: str, value: str) -> None:
        self.tags[name] = value

    def set_terminated(self, _: str, status: str) -> None:
        self.status = status


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    module = ModuleType("mlflow")
    module.MlflowClient = Recorded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setattr(Recorded, "made", [])
    return Recorded


def train(settings: TrainingSettings) -> None:
    with tracked(settings, "headrace") as tracker:
        tracker.epoch(Epoch("towers", 1, 3, 5.5, None))
        tracker.epoch(Epoch("towers", 2, 3, 5.0, 0.1))
        tracker.finish(worlds.bundle())


def test_a_run_holds_settings_epochs_and_the_version(recorded: type[Recorded]) -> None:
    train(SETTINGS)
    (client,) = recorded.made
    assert client.uri == SETTINGS.mlflow_uri
    assert client.params == SETTINGS.model_dump(exclude=set(NOT_LEARNED))
    assert client.metrics == [
        ("run", "towers_loss", 5.5, 1),
        ("run", "towers_loss", 5.0, 2),
        ("run", "validation_ndcg_at_10", 0.1, 2),
    ]
    assert client.tags == {"headrace.version": worlds.bundle().version, "headrace.encoder_id": "words"}
    assert client.status == "FINISHED"


def test_a_training_that_dies_ends_its_run_as_failed(recorded: type[Recorded]) -> None:
    def die() -> None:
        with tracked(SETTINGS, "headrace"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert recorded.made[0].status == "FAILED"


def test_a_server_that_goes_away_costs_the_log_only(
    recorded: type[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "fails_from", 1)
    train(SETTINGS)
    assert len(recorded.made[0].metrics) == 1
    assert recorded.made[0].status is None


def test_no_address_writes_nothing_and_needs_no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    train(TrainingSettings())


def test_without_the_extra_the_sentence_names_setting_and_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SettingError, match=r"training\.mlflow_uri.*headrace\[mlflow\]"):
        train(SETTINGS)


def test_the_address_is_in_no_manifest(tmp_path: Path) -> None:
    assert not NOT_LEARNED & set(worlds.bundle().save(tmp_path / "bundle").manifest.settings)
