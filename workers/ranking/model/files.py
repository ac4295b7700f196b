"""Files of a bundle: read, mapped, summed, and made to outlive a crash."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from streams.errors import DataError
from workers.ranking.model.manifest import RETRAIN


def write_directory(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by name; the directory appears with all of them or not at all.

    Steps: (1) write and sync each file in a hidden directory beside it, (2) sync that directory,
    (3) rename it, (4) sync the parent, so that the new name outlives a crash.

    Raises:
        OSError: it is there already and is not empty, or cannot be written.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        for name, content in contents.items():  # (1)
            with (hidden / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        hidden.chmod(0o755)
        _sync(hidden)  # (2)
        hidden.rename(directory)  # (3)
        _sync(directory.parent)  # (4)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def read(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", RETRAIN) from None


def map_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name; the system reads from disk what is asked for."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def sha256(content: bytes) -> str:
    """Return 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", RETRAIN) from None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
