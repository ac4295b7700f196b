"""Training goes on after a crash as if there had been none, and its average follows."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from streams.contracts import Event
from streams.errors import DataError
from streams.settings.state import StateSettings
from streams.settings.training import TrainingSettings
from tests.unit.test_towers import older, texts
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch
from workers.ranking.model.descent import Pace
from workers.ranking.model.learner import Learner
from workers.ranking.model.training import train

STATE = StateSettings(history_length=20)
SETTINGS = TrainingSettings(
    width=16, layers=1, epochs=3, evaluate_every=1, finish_epochs=2, reranker_epochs=2, reranker_hidden=8,
    neighbours=20, seed=1,
)  # fmt: skip


class Killed(Exception):
    """Stands for kill -9: nothing after it runs."""


def trained(directory: Path | None, die_after: int | None = None) -> Bundle:
    done = 0

    def progress(_: Epoch) -> None:
        nonlocal done
        done += 1
        if done == die_after:
            raise Killed

    return train(texts(), older(), SETTINGS, STATE, "words", progress=progress, checkpoints=directory)


@pytest.fixture(scope="module")
def whole() -> Bundle:
    return trained(None)


_EPOCHS_A_LIFE = 3
_TRAIN = """
import os, signal, sys
from pathlib import Path
from tests.unit.test_learning import SETTINGS, STATE, older, texts, train

left = int(sys.argv[2])

def progress(_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

print(train(texts(), older(), SETTINGS, STATE, "words", progress=progress, checkpoints=Path(sys.argv[1])).version)
"""


@pytest.mark.processes
def test_a_process_that_is_killed_again_and_again_ends_with_the_bundle_of_one_that_was_not(
    whole: Bundle, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _TRAIN, str(tmp_path), str(_EPOCHS_A_LIFE)]
    lives: list[subprocess.CompletedProcess[str]] = []
    while not lives or lives[-1].returncode == -signal.SIGKILL:
        assert len(lives) < SETTINGS.most_epochs, "no life got further than the one before"
        lives.append(subprocess.run(command, capture_output=True, text=True, check=False))
    assert len(lives) > 2
    assert lives[-1].stdout.strip() == whole.version, lives[-1].stderr
    assert not list(tmp_path.rglob("*.safetensors")), "what has ended leaves nothing behind"


@pytest.mark.parametrize("die_after", [1, 3, 4, 6])
def test_training_that_was_killed_gives_the_bundle_that_it_would_have_given(
    die_after: int, whole: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        trained(tmp_path, die_after)
    assert list(tmp_path.rglob("*.safetensors"))
    assert trained(tmp_path).version == whole.version
    assert not list(tmp_path.rglob("*.safetensors")), "what has ended leaves nothing behind"


def test_a_checkpoint_that_was_cut_short_is_passed_over(whole: Bundle, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        trained(tmp_path, 2)
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    assert trained(tmp_path).version == whole.version


def test_other_data_does_not_go_on_from_a_strange_checkpoint(tmp_path: Path) -> None:
    def run(events: list[Event], directory: Path | None) -> str:
        return train(texts(), events, SETTINGS, STATE, "words", checkpoints=directory).version

    with pytest.raises(Killed):
        trained(tmp_path, 2)
    fewer = list(older())[:-50]
    assert run(fewer, tmp_path) == run(fewer, None)


def test_the_second_stage_can_be_left_out() -> None:
    settings = SETTINGS.model_copy(update={"stages": ("towers",), "epochs": 1})
    bundle = train(texts(), older(), settings, STATE, "words")
    assert bundle.second is None
    assert bundle.manifest.features == ()


def test_steps_that_are_added_up_are_one_step_of_a_larger_batch() -> None:
    def learned(accumulate: int, parts: int) -> torch.Tensor:
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 1, bias=False)
        torch.nn.init.ones_(layer.weight)
        learner = Learner(layer, [(list(layer.parameters()), 0.1)], Pace(3 * parts, 0.0, accumulate), 0.9)
        data = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32))
        for _ in range(3):
            for part in data.chunk(parts):
                learner.learn(layer(part).square().mean())
        return layer.weight.detach()

    np.testing.assert_allclose(learned(2, 2), learned(1, 1), atol=1e-5)


def test_nothing_kept_is_nothing_found(tmp_path: Path) -> None:
    Checkpoints().save("towers", {"a": torch.zeros(1)}, {})
    assert Checkpoints().load("towers") is None
    assert Checkpoints(tmp_path / "none").load("towers") is None


SMALL_FILES = """
import resource, signal, sys
from pathlib import Path
import torch
from streams.errors import DataError
from workers.ranking.model.checkpoint import Checkpoints
kept = Checkpoints(Path(sys.argv[1]))
kept.save("towers", {"a": torch.ones(10)}, {"epoch": 1})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    kept.save("towers", {"a": torch.zeros(100_000)}, {"epoch": 2})
except DataError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_full_disk_ends_training_with_what_to_do_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SMALL_FILES, str(tmp_path)]
    full = subprocess.run(command, check=False, capture_output=True, text=True)
    assert full.returncode == DataError.exit_code, full.stderr
    assert f"{tmp_path}: " in full.stdout
    assert "Operator action: free space" in full.stdout
    found = Checkpoints(tmp_path).load("towers")
    assert found is not None
    assert (found[0]["a"].tolist(), found[1]) == ([1.0] * 10, {"epoch": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["towers.safetensors"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/there.*training\.directory"):
        Checkpoints(tmp_path / "file" / "there").save("towers", {"a": torch.zeros(1)}, {})
