"""Training as runs of MLflow, where `training.mlflow_uri` names a server or a folder; nothing without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from streams.errors import SettingError
from streams.settings.training import NOT_LEARNED, TrainingSettings
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.course import Epoch

EXTRA: Final = "mlflow"

_log = structlog.get_logger()


class Tracker:
    """Writes down one training.

    What is written before training must succeed. A server that fails later costs the log, not the model: the
    first failure is logged and nothing more is sent.

    Args:
        client: an `MlflowClient`; None writes nothing.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id

    def epoch(self, epoch: Epoch) -> None:
        """Write the epoch's loss and, where it was measured, NDCG@10."""
        measured = {f"{epoch.stage}_loss": epoch.loss, "validation_ndcg_at_10": epoch.ndcg}
        self._metrics({name: value for name, value in measured.items() if value is not None}, epoch.number)

    def finish(self, bundle: Bundle) -> None:
        """Write what training measured and which bundle came of it."""
        facts = {"version": bundle.version, "encoder_id": bundle.manifest.encoder_id}
        self._metrics(bundle.manifest.metrics, 0)
        for name, value in facts.items():
            self._write("set_tag", f"headrace.{name}", value)

    def end(self, status: str) -> None:
        """End the run: FINISHED or FAILED."""
        self._write("set_terminated", status)

    def _metrics(self, metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._write("log_metric", name, value, step=step)

    def _write(self, method: str, *values: object, **named: object) -> None:
        if self._client is None:
            return
        try:
            getattr(self._client, method)(self._run_id, *values, **named)
        except Exception as error:
            self._client = None
            _log.error("MLflow failed; nothing more is written there", error=str(error))


@contextmanager
def tracked(settings: TrainingSettings, experiment: str) -> Iterator[Tracker]:
    """Yield what writes this training down, and end the run with it.

    Args:
        experiment: its name; made where it is not there.

    Raises:
        SettingError: MLflow is not installed, or what `training.mlflow_uri` names does not take the run.
    """
    tracker = _started(settings, experiment) if settings.mlflow_uri else Tracker(None, "")
    try:
        yield tracker
    except BaseException:
        tracker.end("FAILED")
        raise
    tracker.end("FINISHED")


def _started(settings: TrainingSettings, experiment: str) -> Tracker:
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise SettingError(
            "Setting training.mlflow_uri is given, but MLflow is not installed.",
            f"install it (pip install 'headrace[{EXTRA}]'), or leave the setting empty.",
        ) from None
    try:
        client = MlflowClient(tracking_uri=settings.mlflow_uri)
        found = client.get_experiment_by_name(experiment)
        number = found.experiment_id if found is not None else client.create_experiment(experiment)
        run_id = client.create_run(number).info.run_id
        for name, value in settings.model_dump(exclude=set(NOT_LEARNED)).items():
            client.log_param(run_id, name, value)
    except Exception as error:
        raise SettingError(
            f"What training.mlflow_uri names does not take a run: {type(error).__name__}.",
            "check the address and that the server is up, or leave the setting empty.",
        ) from error
    return Tracker(client, run_id)
