"""Training on a device: what it gives there is a model as any other, and it may go on elsewhere."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from streams.contracts import Event
from streams.errors import SettingError
from streams.settings import load_settings
from streams.settings.scorers import CrossEncoderTraining, IsolatedTraining
from streams.settings.state import StateSettings
from streams.settings.training import TrainingSettings
from tests.devices import DEVICES
from tests.unit.test_sampling import batch_of
from tests.unit.test_towers import older, texts
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.course import Epoch
from workers.ranking.model.dropout import ByteDropout
from workers.ranking.model.histories import build_histories
from workers.ranking.model.objective import forward, next_item_loss
from workers.ranking.model.serving import Model
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.training import train

ITEMS = 300
STATE = StateSettings(history_length=20)
SETTINGS = TrainingSettings(
    stages=("towers", "reranker", "isolated"), width=32, layers=2, epochs=3, evaluate_every=1, finish_epochs=3,
    reranker_epochs=2, reranker_hidden=8, neighbours=20, action_epochs=2, seed=1,
    isolated=IsolatedTraining(
        width=16, layers=1, epochs=3, examples=600, candidates=30, negatives=8, batch=64, learning_rate=5e-3
    ),
)  # fmt: skip
PRECISIONS = ("float32", "bfloat16")


class Killed(Exception):
    """Stands for kill -9: nothing after it runs."""


def trained(device: str, directory: Path | None = None, die_after: int = 0, **changes: object) -> Bundle:
    told: list[Epoch] = []

    def progress(epoch: Epoch) -> None:
        told.append(epoch)
        if len(told) == die_after:
            raise Killed

    chosen = SETTINGS.model_copy(update={"device": device, **changes})
    bundle = train(texts(), older(), chosen, STATE, "words", progress=progress, checkpoints=directory)
    if directory is None:
        for stage in ("towers", "finish", "isolated"):  # what learns on the device
            losses = [epoch.loss for epoch in told if epoch.stage == stage]
            assert losses[-1] < losses[0], f"{stage} learned nothing: {losses}"
    return bundle


@cache
def on_the_cpu() -> Bundle:
    return trained("cpu")


def tensors(bundle: Bundle) -> dict[str, torch.Tensor]:
    assert bundle.second is not None
    assert bundle.actions is not None
    parts = {"towers": bundle.weights, "reranker": bundle.second.weights, "heads": bundle.actions, **bundle.added}
    return {f"{part}.{name}": tensor for part, weights in parts.items() for name, tensor in weights.items()}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("device", DEVICES)
def test_a_model_of_any_device_is_loaded_and_served_on_the_cpu(
    device: str, precision: str, tmp_path: Path
) -> None:
    bundle = trained(device, precision=precision)
    assert {tensor.device.type for tensor in tensors(bundle).values()} == {"cpu"}
    assert all(bool(tensor.isfinite().all()) for tensor in tensors(bundle).values())
    assert "device" not in bundle.manifest.settings
    bundle.save(tmp_path / "bundle")
    model = Model(Bundle.load(tmp_path / "bundle"))
    matrix = model.project(texts().item_ids, texts().text_vectors)
    users = model.user_vectors(matrix, build_histories([[(0, 0, 0), (1, 0, 60_000)], []], model.history_length))
    scores = users @ matrix.T
    assert np.isfinite(scores).all()
    assert scores[0].std() > 0
    metrics = bundle.manifest.metrics
    assert metrics["validation_ndcg_at_10"] > 0.5 * on_the_cpu().manifest.metrics["validation_ndcg_at_10"]


@pytest.mark.parametrize("device", DEVICES)
def test_equal_seeds_give_equal_models_on_one_device(device: str) -> None:
    assert trained(device).version == (on_the_cpu() if device == "cpu" else trained(device)).version


@pytest.mark.parametrize("die_after", [2, 5, 9])  # within towers, re-ranker and isolated attention
@pytest.mark.parametrize("later", DEVICES)
@pytest.mark.parametrize("first", DEVICES)
def test_training_goes_on_where_another_device_stopped(
    first: str, later: str, die_after: int, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        trained(first, tmp_path, die_after)
    kept = list(tmp_path.rglob("*.safetensors"))
    assert kept
    for path in kept:
        with safe_open(path, framework="pt") as file:
            assert {file.get_tensor(name).device.type for name in file.keys()} == {"cpu"}  # noqa: SIM118
    bundle = trained(later, tmp_path)
    assert all(bool(tensor.isfinite().all()) for tensor in tensors(bundle).values())
    assert not list(tmp_path.rglob("*.safetensors")), "it went on from there: what has ended leaves nothing behind"
    if first == later == "cpu":
        assert bundle.version == on_the_cpu().version


@pytest.mark.skipif(torch.cuda.is_available(), reason="`auto` is a GPU here")
def test_auto_is_the_cpu_where_there_is_no_gpu() -> None:
    assert SETTINGS.device == "auto"
    assert trained("auto").version == on_the_cpu().version


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("full_up_to", [ITEMS, 100])
@pytest.mark.parametrize("device", DEVICES)
def test_a_step_gives_the_loss_and_the_gradients_of_the_cpu(device: str, full_up_to: int, loss: str) -> None:
    words = torch.randn(ITEMS, 8, generator=torch.Generator().manual_seed(5))

    def step(where: str) -> tuple[float, dict[str, torch.Tensor]]:
        towers = TwoTowers(Shape(8, ITEMS, 16, 2, 2, 20), seed=4).train().to(where)
        batch = batch_of(full_up_to, 0).on(torch.device(where))
        identities = torch.arange(1, ITEMS + 1, device=where)
        found = next_item_loss(forward(towers, words.to(where), identities, batch), batch, loss)
        found.backward()
        return float(found.detach()), {
            name: each.grad.cpu() for name, each in towers.named_parameters() if each.grad is not None
        }

    (expected, wanted), (found, gradients) = step("cpu"), step(device)
    assert found == pytest.approx(expected, rel=1e-4)
    assert gradients.keys() == wanted.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("device", DEVICES)
def test_dropout_drops_its_share_and_repeats_itself(device: str) -> None:
    def kept(seed: int) -> torch.Tensor:
        return ByteDropout(0.25, np.random.default_rng(seed)).keep((200, 500), torch.device(device))

    assert torch.equal(kept(1), kept(1))
    assert not torch.equal(kept(1), kept(2))
    assert kept(1).device.type == device
    assert float(kept(1).float().mean()) == pytest.approx(0.75, abs=0.01)
    drop = ByteDropout(0.25, np.random.default_rng(0)).train()
    there = torch.ones(100, 100, device=device)
    assert not torch.equal(drop(there), drop(there)), "each mask is drawn anew"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_stops_before_anything_is_read(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> Iterator[Event]:
        raise AssertionError("the events were read")
        yield

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        SettingError, match=rf"training\.device is '{device}'.*set training\.device to auto or cpu"
    ):
        train(texts(), never(), SETTINGS.model_copy(update={"device": device}), STATE, "words")
    crossed = SETTINGS.model_copy(update={"stages": ("towers", "reranker", "cross_encoder")})
    crossed = crossed.model_copy(update={"cross_encoder": CrossEncoderTraining.model_validate({"device": device})})
    with pytest.raises(SettingError, match=r"training\.cross_encoder\.device is|peft is not installed"):
        train(texts(), never(), crossed, STATE, "words")
    with pytest.raises(SettingError, match=r"Setting training\.device"):
        load_settings(training={"device": "tpu"})
