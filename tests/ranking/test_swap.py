"""A model that cannot serve is refused with a sentence, and the one before it goes on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from prometheus_client import REGISTRY

from streams.errors import DataError
from streams.settings import Settings
from streams.topics import MODELS
from tests.ranking import worlds
from tests.ranking.told import Topics, announced
from workers import train
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.training import ItemTexts
from workers.ranking.world import World


def count(name: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_ranking_{name}") or 0.0


def without_a_number(bundle: Bundle, part: str) -> Bundle:
    """Return the bundle with one weight that is none."""
    if part == "towers":
        return replace(bundle, weights=spoilt(bundle.weights, float("nan")))
    assert bundle.second is not None
    return replace(bundle, second=bundle.second._replace(weights=spoilt(bundle.second.weights, float("inf"))))


def spoilt(weights: Mapping[str, torch.Tensor], number: float) -> dict[str, torch.Tensor]:
    found = {name: tensor.clone() for name, tensor in weights.items()}
    next(iter(found.values())).view(-1)[-1] = number
    return found


@pytest.mark.parametrize("part", ["towers", "reranker"])
def test_a_model_without_numbers_is_refused_and_the_old_one_stays(
    part: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced(worlds.bundle(0), tmp_path / "good")
    world.follow()
    before = world.generation
    assert before is not None
    bad = without_a_number(worlds.bundle(1, second=worlds.second_stage(60)), part)
    monkeypatch.setattr("workers.ranking.world.load_announced", lambda *_: bad)
    announced(worlds.bundle(1), tmp_path / "bad")
    world.follow()
    assert world.generation is before


def test_a_model_that_was_refused_is_tried_again_when_it_is_named_again(world: World, tmp_path: Path) -> None:
    announced(worlds.bundle(0), tmp_path / "first")
    world.follow()
    first = world.generation
    announced(worlds.bundle(1), tmp_path / "second")
    (tmp_path / "second").rename(tmp_path / "elsewhere")
    refused = count("models_refused_total")
    for _ in range(3):
        world.follow()
    assert world.generation is first
    assert count("models_refused_total") == refused + 1
    (tmp_path / "elsewhere").rename(tmp_path / "second")
    Topics.written[MODELS] += Topics.written[MODELS][-2:]
    world.follow()
    second = world.generation
    assert second is not None
    assert second.model.version == worlds.bundle(1).version
    Topics.written[MODELS] += Topics.written[MODELS][-2:]
    world.follow()
    assert world.generation is second, "what serves is not loaded again"
    Topics.written[MODELS] += Topics.written[MODELS][:2]
    world.follow()
    assert world.generation is not None
    assert world.generation.model.version == worlds.bundle(0).version


def test_training_that_gives_no_numbers_announces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = without_a_number(worlds.bundle(0), "towers")
    monkeypatch.setattr(train, "require_topic", lambda *_: None)
    monkeypatch.setattr(train, "unread_items", lambda *_: 0)
    monkeypatch.setattr(train, "item_texts", lambda *_: ItemTexts((), torch.zeros(0, 16).numpy()))
    monkeypatch.setattr(train, "train", lambda *_, **__: bad)
    monkeypatch.setattr(Bundle, "save", lambda *_: pytest.fail("it was saved"))
    nothing: Any = ()
    with pytest.raises(DataError, match="no finite numbers"):
        train.train_and_announce(Settings(), nothing, lambda _: None)
