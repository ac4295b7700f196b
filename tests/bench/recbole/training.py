"""Trains one of RecBole's sequential models and writes down what it scores; runs in RecBole's own environment.

    python -m tests.bench.recbole.training DIRECTORY MODEL SEED OUT.npz

Nothing of RecBole is imported anywhere else. DIRECTORY holds `headrace/headrace.inter` (see `handing.py`).
RecBole splits it by its own leave-one-out: the last event of each user is the test, the one before the
validation, and the history of the test holds the validation event. Training stops by RecBole's own early
stopping, after as many epochs without a better validation NDCG@10 as ours (`training.patience`), and the weights
of the best epoch are asked. Sizes and dropout are RecBole's defaults, batch and learning rate those of SASRec's
paper: with RecBole's batch of 2,048 an epoch took more than twice the time on one core.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, Final

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # a checkpoint holds RecBole's Config; it is our own file

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

from tests.bench.recbole.quicker import hurry

HISTORY: Final = 50
SETTINGS: Final[dict[str, Any]] = {
    "field_separator": "\t",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "MAX_ITEM_LIST_LENGTH": HISTORY,
    "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
    "train_neg_sample_args": None,  # the loss is the cross entropy over all items
    "loss_type": "CE",
    "metrics": ["Hit", "NDCG"],
    "topk": [10],
    "valid_metric": "NDCG@10",
    "train_batch_size": 128,
    "learning_rate": 1e-3,
    "epochs": 300,
    "stopping_step": 3,
    "show_progress": False,
    "use_gpu": False,
}


def main(directory: Path, name: str, seed: int, out: Path) -> None:
    """Train and write `out`.

    It holds of both questions, `validation` and `test`: users int64 (n,), targets int64 (n,) and scores float32
    (n, items), all by the numbers that the file was written with; and `cpu_seconds`, `epochs`.
    """
    torch.set_num_threads(1)
    checkpoints = {"data_path": str(directory), "checkpoint_dir": str(directory / "checkpoints"), "seed": seed}
    sys.argv = sys.argv[:1]  # RecBole reads it too
    config = Config(model=name, dataset="headrace", config_dict=SETTINGS | checkpoints)
    init_seed(seed, config["reproducibility"])
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    init_seed(seed, config["reproducibility"])
    model = get_model(name)(config, train.dataset)
    if name == "SASRec":
        slow = answers(model.eval(), dataset, test.dataset)["scores"]
        hurry(model, seed)
        np.testing.assert_allclose(answers(model.eval(), dataset, test.dataset)["scores"], slow, atol=1e-4)
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
    losses = 0

    def count(epoch: int, score: float) -> None:
        nonlocal losses
        losses = epoch + 1
        print(f"{name} epoch {epoch}: validation NDCG@10 {score:.4f}, {time.process_time():.0f} s", flush=True)

    trainer.fit(train, valid, saved=True, show_progress=False, callback_fn=count)
    model.load_state_dict(torch.load(trainer.saved_model_file)["state_dict"])
    model.eval()
    found: dict[str, Any] = {"cpu_seconds": time.process_time(), "epochs": losses}
    for question, data in (("validation", valid), ("test", test)):
        for key, value in answers(model, dataset, data.dataset).items():
            found[f"{question}_{key}"] = value
    np.savez(out.with_suffix(".partial.npz"), **found)
    out.with_suffix(".partial.npz").replace(out)


@torch.inference_mode()
def answers(model: Any, dataset: Any, asked: Any) -> dict[str, Any]:
    """Return users, targets and scores, in the numbers of the file rather than RecBole's own."""
    tokens = (dataset.field2id_token[field][1:] for field in ("user_id", "item_id"))
    users, items = (np.array(each).astype(np.int64) for each in tokens)
    questions = asked.inter_feat
    scores = model.full_sort_predict(questions).view(len(questions), -1).numpy()[:, : len(items) + 1]
    by_number = np.full((len(questions), items.max() + 1), -np.inf, np.float32)
    by_number[:, items] = scores[:, 1:]  # RecBole's item 0 is padding
    return {
        "users": users[questions["user_id"].numpy() - 1],
        "targets": items[questions["item_id"].numpy() - 1],
        "scores": by_number,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
