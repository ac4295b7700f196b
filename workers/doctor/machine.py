"""The machine: Python, FAISS, BLAS, room on its disks."""

import importlib.metadata
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streams.settings import Settings
from streams.state.compiled import Usual
from streams.state.storing import store_directory
from workers.bundles import bundles_directory
from workers.doctor.findings import Finding, counted, ok, problem, warning

OLDEST_PYTHON: Final = (3, 11)
SCARCE_BYTES: Final = 2_000_000_000
"""A model bundle of a million items takes about one gigabyte, and two of them lie there while it is replaced."""
FULL_BYTES: Final = 200_000_000
_UNWRITABLE: Final = {
    "model bundles": "let it be so where nothing is trained; `headrace train` needs HEADRACE_TRAINING__DIRECTORY.",
    "temporary files": "name a folder in TMPDIR.",
    "user states": "name a folder in HEADRACE_STATE__ROCKSDB__DIRECTORY, or set HEADRACE_STATE__STORE=memory.",
}


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """Look at the interpreter."""
    name = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        yield problem("Python", f"This is Python {name}.", f"install Headrace into Python {wanted} or newer.")
    elif sysconfig.get_config_var("Py_DEBUG"):
        yield warning(
            "Python", f"This is a debug build of Python {name}.", "run on a release build: it is faster."
        )
    else:
        yield ok("Python", f"Python {name}.")


def fold() -> Iterator[Finding]:
    """Look at whether the fold of usual events was compiled."""
    if Usual is None:
        yield warning(
            "Fold",
            "The state worker folds in Python: there was no C compiler when Headrace was installed.",
            "install one (Debian: `apt-get install gcc python3-dev`) and Headrace again; it takes less CPU then.",
        )
    else:
        yield ok("Fold", "The fold of usual events is compiled.")


def faiss() -> Iterator[Finding]:
    """Look at FAISS: one of its builds, with the instructions that this processor has, and does it find things?"""
    installed = [name for name in ("faiss-cpu", "faiss-gpu") if _installed(name)]
    try:
        import faiss as library
        import numpy as np
    except ImportError as error:
        yield problem(
            "FAISS", f"FAISS cannot be loaded: {error}.", "run `pip install 'headrace[cpu]'` (or `[gpu]`)."
        )
        return
    if len(installed) > 1:
        yield problem(
            "FAISS",
            "faiss-cpu and faiss-gpu are both installed and overwrite each other's files.",
            "run `pip uninstall faiss-cpu faiss-gpu`, then install one of them.",
        )
    options = library.get_compile_options()
    wanted = [name for name in ("AVX2", "AVX512") if name.lower() in _processor_flags()]
    if wanted and not any(name in options for name in wanted):
        yield warning(
            "FAISS",
            f"FAISS {library.__version__} does not use this processor's {wanted[-1]}, only {options}.",
            "install faiss-cpu from its wheel, or build it for this machine: searches take several times as long.",
        )
    rows = np.eye(8, dtype=np.float32)
    index = library.IndexFlatIP(8)
    index.add(rows)
    if index.search(rows, 1)[1].ravel().tolist() != list(range(8)):
        yield problem(
            "FAISS", "FAISS does not find a vector that it holds.", "reinstall it; its BLAS may be broken."
        )
        return
    devices = library.get_num_gpus() if hasattr(library, "get_num_gpus") else 0
    graphics = f", {devices} GPU" if devices else ""
    yield ok("FAISS", f"FAISS {library.__version__} finds what it holds ({' '.join(options.split())}{graphics}).")


def blas() -> Iterator[Finding]:
    """Look at the libraries that multiply matrices, and at the pools of threads that they keep."""
    import faiss  # noqa: F401
    import numpy as np  # noqa: F401
    import torch
    from threadpoolctl import threadpool_info

    pools = threadpool_info()
    libraries = [pool for pool in pools if pool["user_api"] == "blas"]
    names = ", ".join(
        f"{pool['internal_api']} {pool['version']} ({counted(pool['num_threads'], 'thread')})"
        for pool in libraries
    )
    if torch.backends.mkl.is_available():
        names += f"{', ' if names else ''}MKL in torch ({counted(torch.get_num_threads(), 'thread')})"
    kinds = {pool["prefix"] for pool in pools if pool["user_api"] == "openmp"}
    if len(kinds) > 1:
        yield warning(
            "BLAS",
            f"Several OpenMP runtimes are loaded: {', '.join(sorted(kinds))}.",
            "install torch, FAISS and numpy all from wheels, or all from conda: together they may hang or crash.",
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if any(pool["num_threads"] > cores for pool in pools):
        yield warning(
            "BLAS",
            f"More threads than the {cores} processors that this process may use.",
            f"set OMP_NUM_THREADS={cores}: threads that wait for each other starve the rest.",
        )
    if names:
        yield ok("BLAS", f"{names[0].upper()}{names[1:]}.")
    else:
        yield warning("BLAS", "No BLAS library is known to be loaded.", "install numpy from its wheel.")


def disk(settings: Settings) -> Iterator[Finding]:
    """Look at the folders that are written to."""
    written = {"model bundles": bundles_directory(settings), "temporary files": Path(tempfile.gettempdir())}
    if settings.state.store == "rocksdb":
        written["user states"] = store_directory(settings)
    for what, path in written.items():
        there = path
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
        said = f"{free / 1e9:.1f} GB are free for {what} in {path}."
        if not os.access(there, os.W_OK | os.X_OK):
            yield warning(
                "Disk",
                f"Nothing can be written to {path} ({what}).",
                _UNWRITABLE[what],
            )
        elif free < FULL_BYTES:
            yield problem("Disk", said, "make room: nothing can be saved.")
        elif free < SCARCE_BYTES:
            yield warning(
                "Disk", said, "make room: a bundle of a million items takes a gigabyte, twice while it changes."
            )
        else:
            yield ok("Disk", said)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _processor_flags() -> str:
    """Return the processor's own words for what it can do; empty where there is no /proc."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    line = next((line for line in flags.splitlines() if line.startswith("flags")), "")
    return line.replace("avx512f", "avx512")
