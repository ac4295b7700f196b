"""The cross-encoder learns from texts what the model before it does not know, and repeats itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streams.errors import DataError, SettingError
from streams.settings.ranking import RankingSettings
from streams.settings.scorers import CrossEncoderServing
from streams.settings.training import TrainingSettings
from tests.devices import DEVICES
from tests.ranking import worlds
from tests.ranking.tiny import chosen
from tests.unit.test_evaluation import ITEMS
from tests.unit.test_evaluation import log as walks
from tests.unit.test_evaluation import texts as walk_texts
from tests.unit.test_isolated_training import SETTINGS, STATE, pools
from workers.ranking.evaluation.added import WithCrossEncoder
from workers.ranking.evaluation.evaluate import PROTOCOLS, evaluate
from workers.ranking.evaluation.learned import Reranked, mask_seen
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.course import Epoch
from workers.ranking.model.cross_training import teach_cross
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model
from workers.ranking.model.training import ItemTexts, train_on

pytest.importorskip("peft", reason="the extra `lora` is not installed")
READ = 6


def settings(tiny: Path, **changes: object) -> TrainingSettings:
    quick: dict[str, object] = {"examples": 60, "candidates": 20, "batch": 8, "accumulate": 2}
    cross = chosen(tiny, **(quick | changes))
    return SETTINGS.model_copy(update={"stages": ("towers", "reranker", "cross_encoder"), "cross_encoder": cross})


TEXTS = tuple(f"title {number}. {('comedy', 'drama', 'horror')[number % 3]}" for number in range(ITEMS))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_it_learns_from_texts_what_the_model_does_not_know(tiny: Path, loss: str, device: str) -> None:
    draws = np.random.default_rng(0)
    rows = np.where(draws.random(1_500) < 0.9, draws.integers(20, size=1_500), draws.integers(ITEMS, size=1_500))
    users, signals = draws.integers(150, size=1_500), draws.integers(5, size=1_500)
    sequences = Sequences.of(users, rows, signals, np.arange(1_500))
    texts = ["horror" if number < 20 else "comedy" for number in range(ITEMS)]
    quick = {"epochs": 3, "examples": 300, "candidates": ITEMS, "learning_rate": 5e-3}
    longer = settings(tiny, loss=loss, device=device, **quick)
    told: list[Epoch] = []
    found = teach_cross(pools(sequences), sequences, texts, longer, progress=told.append).metrics
    assert found["cross_encoder_examples"] == 300
    assert found["cross_encoder_loss"] < 0.9 * found["cross_encoder_base_loss"]
    assert [(epoch.stage, epoch.number, epoch.most) for epoch in told] == [
        ("cross_encoder", number, 6) for number in (4, 5, 6)
    ]


def test_equal_seeds_give_equal_weights_and_leave_the_rest_of_the_process_alone(tiny: Path) -> None:
    sequences = walks()
    before_it = pools(sequences)
    torch.manual_seed(11)
    before = torch.get_rng_state()

    def weights(seed: int) -> dict[str, torch.Tensor]:
        chosen_settings = settings(tiny).model_copy(update={"seed": seed})
        taught = teach_cross(before_it, sequences, TEXTS, chosen_settings, progress=lambda _: None)
        return dict(taught.weights)

    one, same, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_to_learn_from_is_said(tiny: Path) -> None:
    sequences = walks()
    strange = sequences._replace(is_first=np.zeros_like(sequences.is_first))
    with pytest.raises(DataError, match="among the model's best candidates"):
        teach_cross(pools(sequences), strange, TEXTS, settings(tiny), progress=lambda _: None)


def test_what_was_trained_is_measured_and_reads_the_best_alone(tiny: Path, tmp_path: Path) -> None:
    items = ItemTexts(tuple(map(str, range(ITEMS))), walk_texts(), TEXTS)
    questions = PROTOCOLS["prequential"](walks(), 0.05)
    bundle = train_on(questions.past, items, settings(tiny, epochs=2, learning_rate=2e-2), STATE, "words")
    bundle.save(tmp_path / "a")
    serving = CrossEncoderServing(candidates=READ)
    model = Model(Bundle.load(tmp_path / "a"), serving)
    found = evaluate(questions, items, model)
    assert list(found["systems"])[-2:] == ["reranked", "cross_encoder"]
    assert "cross_encoder" in found["reranked_ndcg_at_10_against"]

    known = questions.part(np.flatnonzero(questions.ends > questions.starts)[:12])
    retrieval = Retrieval(model, items, worlds.settings(candidates=30))
    without = mask_seen(Reranked(retrieval).scores(known), known)
    with_it = mask_seen(WithCrossEncoder(retrieval).scores(known), known)
    moved = 0
    for before, after in zip(np.argsort(-without), np.argsort(-with_it), strict=True):
        assert set(before[:READ].tolist()) == set(after[:READ].tolist())
        assert before[READ:20].tolist() == after[READ:20].tolist()
        moved += before[:READ].tolist() != after[:READ].tolist()
    assert moved


def test_texts_and_the_extra_are_asked_for_before_anything_is_learned(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = ItemTexts(tuple(map(str, range(ITEMS))), walk_texts())
    with pytest.raises(ValueError, match="the items have none"):
        train_on(walks(), items, settings(tiny), STATE, "words")
    monkeypatch.setattr("encoder.places.find_spec", lambda _: None)
    with pytest.raises(SettingError, match=r"headrace\[lora\]"):
        train_on(walks(), items, settings(tiny), STATE, "words")
    assert not RankingSettings().added_scorers, "off by default"
