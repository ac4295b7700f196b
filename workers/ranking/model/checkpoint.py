"""Where training stands, on disk after every epoch, so that it goes on after `kill -9`."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from streams.errors import DataError

_STATE = "state"


@dataclass(frozen=True)
class Checkpoints:
    """A directory of one training's checkpoints, one file a stage; without a directory nothing is kept.

    Equal data, settings and items share a directory: the caller names it after their hash.
    """

    directory: Path | None = None

    def save(self, stage: str, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
        """Replace the stage's checkpoint as one: the old one stands until the new one is whole.

        Args:
            tensors: by name, of any device; they come back on the CPU.
            state: whatever JSON can hold.

        Raises:
            DataError: it cannot be written, as on a full disk; the one before still stands.
        """
        if self.directory is None:
            return
        hidden = self.directory / f".{stage}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            there = {name: tensor.cpu() for name, tensor in tensors.items()}
            save_file(there, hidden, metadata={_STATE: json.dumps(state)})
            with hidden.open("rb") as file:
                os.fsync(file.fileno())
            hidden.replace(self.directory / f"{stage}.safetensors")
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                hidden.unlink()
            raise DataError(
                f"A checkpoint of training cannot be written to {self.directory}: {error}.",
                "free space there and start again: training goes on from the checkpoint before; "
                "or let training.directory name another disk.",
            ) from None

    def load(self, stage: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return what was saved last, or None when there is nothing or it cannot be read."""
        if self.directory is None:
            return None
        path = self.directory / f"{stage}.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, json.loads(file.metadata()[_STATE])
        except (OSError, SafetensorError):
            return None

    def clear(self) -> None:
        """Remove the files: training has ended."""
        if self.directory is not None and self.directory.is_dir():
            for path in self.directory.iterdir():
                path.unlink()
            self.directory.rmdir()
