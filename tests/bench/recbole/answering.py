"""What RecBole's models and ours score on the same questions, as gains of each question."""

import os
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from streams.settings import Settings
from tests.bench.recbole.environment import cache, python
from tests.bench.recbole.handing import write_log
from workers.ranking.evaluation.learned import Reranked, mask_seen
from workers.ranking.evaluation.metrics import Ranks, ranks_of
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.evaluation.retrieval import Retrieval
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import Integers
from workers.ranking.model.training import ItemTexts, train_on

Places = npt.NDArray[np.uint16]
QUESTIONS: Final = ("validation", "test")
_ROOT: Final = Path(__file__).parents[3]
_SCRIPT: Final = "tests.bench.recbole.training"


class Trained(NamedTuple):
    """Ranks of the targets by the name of the questions, after how many epochs training ended, and on what."""

    ranks: dict[str, Ranks]
    epochs: int
    device: str


def recbole(name: str, asked: dict[str, Questions], seed: int = 0) -> Trained:
    """Return the ranks that a model of RecBole gives, seen items masked like ours; trained where it is not yet.

    Raises:
        ValueError: RecBole asks for other items than ours does, or knows other users.
        CalledProcessError: the training failed.
    """
    log = next(iter(asked.values())).log
    home = cache() / log.sha256()[:12]
    answers = home / f"{name}-{seed}.npz"
    if not answers.exists():
        write_log(log, home)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
        command = [str(python()), "-m", _SCRIPT, str(home), name, str(seed), str(answers)]
        subprocess.run(command, check=True, env=environment, cwd=home)  # RecBole leaves logs where it runs
    with np.load(answers) as found:
        return Trained(
            {
                question: masked_ranks(
                    asked[question], *(found[f"{question}_{key}"] for key in ("users", "targets", "scores"))
                )
                for question in QUESTIONS
            },
            int(found["epochs"]),
            str(found["device"]),
        )


def masked_ranks(questions: Questions, users: Integers, targets: Integers, scores: Places) -> Ranks:
    """Return the rank of each question's target, by scores given in any order of users.

    Args:
        users: int64 (n,), as `Questions.users`.
        targets: int64 (n,), what was asked for.
        scores: uint16 (n, items), places from the lowest score up.

    Raises:
        ValueError: users or targets are not those of the questions.
    """
    order = np.argsort(users)
    if not np.array_equal(users[order], questions.users):
        raise ValueError("the other side knows other users")
    if not np.array_equal(targets[order], questions.targets):
        raise ValueError("the other side asks for other items")
    return ranks_of(mask_seen(scores[order].astype(np.float32), questions), questions.targets)


def ours(asked: dict[str, Questions], items: ItemTexts, settings: Settings, seed: int) -> dict[str, Ranks]:
    """Return the ranks that our model gives with one seed, trained on the same events."""
    torch.set_num_threads(1)
    training = settings.training.model_copy(update={"seed": seed})
    model = Model(train_on(asked["test"].past, items, training, settings.state, "evaluation"))
    system = Reranked(Retrieval(model, items, settings))
    return {name: ranks_of(mask_seen(system.scores(each), each), each.targets) for name, each in asked.items()}
