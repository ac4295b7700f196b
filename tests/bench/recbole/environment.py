"""RecBole in an environment of its own: its pins are older than ours, and nothing else here needs it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from platformdirs import user_cache_dir

NEEDED: Final = (
    "torch<2.14",  # reads its own checkpoints with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD, see `training.py`
    "numpy",
    "pandas<3",  # it fills missing values in place, through a copy as of pandas 3
    "scipy",
    "scikit-learn",
    "tensorboard",
    "tqdm",
    "pyyaml",
    "colorlog",
    "colorama",
    "psutil",
    "tabulate",
    "thop",
    "texttable",
)
"""What its trainer imports. The rest that its wheel asks for (Ray, hyper-parameter search, plots) stays away."""
WHEEL: Final = "recbole==1.2.1"


def cache() -> Path:
    """Return the directory in which everything of RecBole is kept."""
    return Path(user_cache_dir("headrace")) / "recbole-bench"


def python() -> Path:
    """Return the interpreter of the environment, which the first call makes; minutes, and the size of a torch."""
    home = cache() / "environment"
    found, ready = home / "bin" / "python", home / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        index = os.environ.get("HEADRACE_TORCH_INDEX")
        subprocess.run([*pip, *(["--extra-index-url", index] if index else []), *NEEDED], check=True)
        subprocess.run([*pip, "--no-deps", WHEEL], check=True)
        ready.touch()
    return found
