"""Trains one of RecBole's sequential models and writes down what it scores; runs in RecBole's own environment.

    python -m tests.bench.recbole.training DIRECTORY MODEL SEED OUT.npz

Nothing of RecBole is imported anywhere else. DIRECTORY holds `headrace/headrace.inter` (see `handing.py`).
RecBole splits it by its own leave-one-out: the last event of each user is the test, the one before the
validation, and the history of the test holds the validation event. Training stops by RecBole's own early
stopping and patience, ten epochs without a better validation NDCG@10, and the weights of the best epoch are asked.
Sizes, dropout, loss, batch and learning rate are RecBole's defaults. A GPU is used where there is one.
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

from tests.bench.recbole.catalogue import PAIRED
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
    "metrics": ["Hit", "NDCG"],
    "topk": [10],
    "valid_metric": "NDCG@10",
    "epochs": 300,
    "stopping_step": 10,
    "show_progress": False,
}
AGAINST_ONE_OTHER: Final[dict[str, Any]] = {
    "train_neg_sample_args": {
        "distribution": "uniform",
        "sample_num": 1,
        "alpha": 1.0,
        "dynamic": False,
        "candidate_num": 0,
    }
}
"""Of a model that learns from pairs: an item that was taken, and one that was not."""


def main(directory: Path, name: str, seed: int, out: Path) -> None:
    """Train and write `out`.

    It holds of both questions, `validation` and `test`: users int64 (n,), targets int64 (n,) and scores uint16
    (n, items), all by the numbers that the file was written with; and `epochs` and `device`, which names the GPU
    or is `CPU`.
    """
    for old, new in {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}.items():
        setattr(np, old, new)  # RecBole 1.2.1 puts `np.float` and its like back by these, which NumPy 2 dropped
    torch.set_num_threads(1)
    checkpoints = {"data_path": str(directory), "checkpoint_dir": str(directory / "checkpoints"), "seed": seed}
    sys.argv = sys.argv[:1]  # RecBole reads it too
    chosen = SETTINGS | checkpoints | (AGAINST_ONE_OTHER if name in PAIRED else {})
    config = Config(model=name, dataset="headrace", config_dict=chosen)
    init_seed(seed, config["reproducibility"])
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    init_seed(seed, config["reproducibility"])
    model = get_model(name)(config, train.dataset).to(config["device"])
    on_gpu = config["device"].type == "cuda"
    if name == "SASRec" and not on_gpu:
        slow = scored(model.eval(), test)
        hurry(model, seed)
        np.testing.assert_allclose(scored(model.eval(), test), slow, atol=1e-4)
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
    losses = 0

    def count(epoch: int, score: float) -> None:
        nonlocal losses
        losses = epoch + 1
        print(f"{name} epoch {epoch}: validation NDCG@10 {score:.4f}, {time.process_time():.0f} s", flush=True)

    trainer.fit(train, valid, saved=True, show_progress=False, callback_fn=count)
    model.load_state_dict(torch.load(trainer.saved_model_file)["state_dict"])
    model.eval()
    device = torch.cuda.get_device_name() if on_gpu else "CPU"
    found: dict[str, Any] = {"epochs": losses, "device": device}
    for question, data in (("validation", valid), ("test", test)):
        for key, value in answers(model, dataset, data).items():
            found[f"{question}_{key}"] = value
    np.savez_compressed(out.with_suffix(".partial.npz"), **found)
    out.with_suffix(".partial.npz").replace(out)


@torch.inference_mode()
def scored(model: Any, asked: Any) -> Any:
    """Return the score of each of RecBole's items in each question, float32 (n, items + 1); item 0 is padding."""
    scores = [model.full_sort_predict(batch.to(model.device)).view(len(batch), -1) for batch, *_ in asked]
    return torch.cat(scores)[:, : model.n_items].float().cpu().numpy()


def answers(model: Any, dataset: Any, asked: Any) -> dict[str, Any]:
    """Return users, targets and scores, in the numbers of the file rather than RecBole's own.

    A score is its place among the question's own, from the lowest up, equal scores at one place: uint16.
    """
    tokens = (dataset.field2id_token[field][1:] for field in ("user_id", "item_id"))
    users, items = (np.array(each).astype(np.int64) for each in tokens)
    questions = asked.dataset.inter_feat
    scores = scored(model, asked)[:, 1:]
    places = np.stack([np.unique(row, return_inverse=True)[1] for row in scores])
    by_number = np.zeros((len(questions), items.max() + 1), np.uint16)  # lowest: what RecBole does not know
    by_number[:, items] = places + 1
    return {
        "users": users[questions["user_id"].numpy() - 1],
        "targets": items[questions["item_id"].numpy() - 1],
        "scores": by_number,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
