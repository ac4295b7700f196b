"""The candidate-isolated attention learns what the model before it does not know, and can be trained again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from streams.settings import Settings
from streams.settings.scorers import IsolatedTraining
from streams.settings.state import StateSettings
from streams.settings.training import TrainingSettings
from tests.unit.test_evaluation import ITEMS
from tests.unit.test_evaluation import log as walks
from tests.unit.test_evaluation import texts as walk_texts
from tests.unit.test_towers import older, texts
from workers.datasets import sample
from workers.evaluate import evaluate_all
from workers.ranking.evaluation.evaluate import PROTOCOLS, evaluate
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch
from workers.ranking.model.isolated_training import teach_isolated
from workers.ranking.model.objective import MASKED
from workers.ranking.model.pools import Pool, Pools, asked_events, drawn, pool_loss, ranks_in
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model
from workers.ranking.model.towers import Shape, TwoTowers
from workers.ranking.model.training import ItemTexts, train, train_on

STATE = StateSettings(history_length=20)
ISOLATED = IsolatedTraining(width=16, layers=1, epochs=2, examples=600, candidates=30, negatives=8, batch=64)
SETTINGS = TrainingSettings(
    stages=("towers", "reranker", "isolated"), isolated=ISOLATED, width=16, layers=1, epochs=1, evaluate_every=1,
    finish_epochs=1, reranker_epochs=1, reranker_hidden=8, neighbours=20, action_epochs=0, seed=1,
    learning_rate=2e-3, finish_learning_rate=1e-3,
)  # fmt: skip


def pools(sequences: Sequences, candidates: int = ITEMS) -> Pools:
    """Return the pools of towers that have learned nothing."""
    towers = TwoTowers(Shape(16, ITEMS, 16, 1, 2, 20), seed=3)
    words = torch.from_numpy(walk_texts())
    towers.item.centre_on(words)
    with torch.inference_mode():
        vectors = towers.eval().item(words, torch.arange(1, ITEMS + 1))
    return Pools(towers, vectors, None, None, candidates)


@pytest.mark.parametrize(("history", "loss"), [("bidirectional", "softmax"), ("causal", "bce")])
def test_it_finds_what_the_towers_do_not_know(history: str, loss: str) -> None:
    longer = {"epochs": 10, "examples": 3_000, "learning_rate": 5e-3, "width": 32}
    chosen = ISOLATED.model_copy(update=longer | {"history": history, "loss": loss})
    settings = SETTINGS.model_copy(update={"isolated": chosen, "patience": 9})
    sequences = walks()
    told: list[Epoch] = []
    found = teach_isolated(
        pools(sequences), sequences, settings, progress=told.append, checkpoints=Checkpoints()
    ).metrics
    assert found["isolated_ndcg_at_10"] > 1.2 * found["isolated_base_ndcg_at_10"]
    assert [epoch.number for epoch in told] == [*range(4, 14)]
    assert {(epoch.stage, epoch.most) for epoch in told} == {("isolated", 13)}


def trained(directory: Path | None = None, die_after: int | None = None) -> Bundle:
    def progress(epoch: Epoch) -> None:
        if epoch.number == die_after:
            raise KeyboardInterrupt

    return train(texts(), older(), SETTINGS, STATE, "words", progress=progress, checkpoints=directory)


def test_the_stage_changes_nothing_of_the_rest_and_goes_on_after_a_crash(tmp_path: Path) -> None:
    whole = trained()
    plain = train(texts(), older(), SETTINGS.model_copy(update={"stages": ("towers", "reranker")}), STATE, "words")
    assert set(whole.added) == {"isolated"}
    assert not plain.added
    for ours, theirs in ((whole.weights, plain.weights), (whole.second.weights, plain.second.weights)):  # type: ignore[union-attr]
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert whole.manifest.metrics["isolated_ndcg_at_10"] >= 0
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, 4)
    assert trained(tmp_path).version == whole.version


def test_evaluation_measures_it_beside_the_model_without_it() -> None:
    items = ItemTexts(tuple(map(str, range(ITEMS))), walk_texts())
    questions = PROTOCOLS["prequential"](walks(), 0.1)
    model = Model(train_on(questions.past, items, SETTINGS, STATE, "words"))
    found = evaluate(questions, items, model)
    assert list(found["systems"])[-3:] == ["towers", "reranked", "isolated"]
    low, high = found["reranked_ndcg_at_10_against"]["isolated"]["difference"][1:]
    assert low <= high
    assert found["systems"]["isolated"] != found["systems"]["reranked"]
    assert 0 <= found["systems"]["isolated"]["calibration_error"] <= 1


def test_fewer_questions_may_be_asked_of_all_systems_alike() -> None:
    settings = Settings(
        training=SETTINGS.model_copy(update={"isolated": ISOLATED.model_copy(update={"epochs": 1})})
    )
    found = evaluate_all(sample.load(), texts(), settings, names=["prequential"], share=0.1, most_questions=30)
    result = found["protocols"]["prequential"]
    assert result["questions"] == 30
    assert "isolated" in result["systems"]


def test_a_pool_holds_the_best_unseen_items_before_the_event() -> None:
    sequences = walks()
    events = asked_events(sequences)[::29][:40]
    found = pools(sequences, 25).all_of(sequences, events, 10)
    assert found.items.shape == (len(events), 10)
    for line, event in enumerate(events.tolist()):
        seen = set(sequences.events.rows[sequences.starts[event] : event].tolist())
        competing = found.items[line][found.base[line] > MASKED / 2].tolist()
        assert not seen & set(competing)
        assert (found.base[line].diff() <= 0).all()


def test_drawn_rivals_compete_once_and_a_target_outside_its_pool_is_left_out() -> None:
    sequences = walks()
    events = asked_events(sequences)[:50]
    pool = pools(sequences, 20).all_of(sequences, events, 20)
    targets = torch.from_numpy(sequences.events.rows[events])
    inside = (pool.items == targets[:, None]).any(1)
    found = drawn(pool, targets, 30, np.random.default_rng(0))
    assert found is not None
    assert found.events.tolist() == events[inside.numpy()].tolist()
    assert found.items[:, 0].tolist() == targets[inside].tolist()
    for items, base in zip(found.items, found.base, strict=True):
        competing = items[base > MASKED / 2].tolist()
        assert len(set(competing)) == len(competing)
    missing = pool._replace(items=torch.full_like(pool.items, ITEMS))
    assert drawn(missing, targets, 3, np.random.default_rng(0)) is None


def test_losses_of_known_scores() -> None:
    base = torch.tensor([[2.0, 1.0, MASKED], [0.5, 0.5, 3.0]])
    added = torch.tensor([[0.1, -0.2, 50.0], [1.0, 0.0, 0.0]])
    final = base + added
    softmax = (functional.cross_entropy(final[:1, :2], torch.tensor([0])) * 1
               + functional.cross_entropy(final[1:], torch.tensor([0]))) / 2  # fmt: skip
    torch.testing.assert_close(pool_loss(base, added, "softmax", torch.zeros(())), softmax)
    raised = base + torch.tensor([[7.0], [-3.0]])  # a height of its own in each line says nothing
    bias = torch.tensor(0.3)
    for loss in ("softmax", "bce"):
        torch.testing.assert_close(pool_loss(raised, added, loss, bias), pool_loss(base, added, loss, bias))
    assert pool_loss(base, added + torch.tensor([5.0, 0.0, 0.0]), "bce", bias) < pool_loss(
        base, added, "bce", bias
    )


def test_ranks_within_a_pool_count_ties_at_their_mean_and_absence_as_a_miss() -> None:
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 1.0, 0.0], [1.0, 2.0, 3.0]])
    items = torch.tensor([[4, 5, 6]]).repeat(3, 1)
    assert ranks_in(scores, items, torch.tensor([5, 4, 9])).tolist() == [2.0, 1.5, float("inf")]


def test_a_part_of_a_pool_is_that_part_of_everything() -> None:
    sequences = walks()
    pool = pools(sequences, 5).all_of(sequences, asked_events(sequences)[:6], 5)
    part: Pool = pool.of(torch.tensor([False, True, False, False, True, False]))
    assert part.events.tolist() == pool.events[[1, 4]].tolist()
    assert torch.equal(part.items, pool.items[[1, 4]])
    np.testing.assert_array_equal(part.histories.rows, pool.histories.rows[[1, 4]])
