"""What a benchmark measured: figures with unit, goal and verdict, written to `tests/bench/results/NAME.json`.

A goal is a comparison in words, `>= 0.97`, `<= 50` or `== 0`; a figure without one is there to be read.
"""

import json
import operator
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch

from workers.demo.summary import installed_versions

RESULTS: Final = Path(__file__).parent / "results"
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
}


class Figure(NamedTuple):
    """One measured number.

    Attributes:
        goal: a comparison such as `>= 0.97`; None where nothing was promised.
    """

    key: str
    value: float
    unit: str
    goal: str | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal was reached; None without a goal."""
        if self.goal is None:
            return None
        sign, _, bound = self.goal.partition(" ")
        return _COMPARE[sign](self.value, float(bound))


def percentiles(
    key: str, values: Sequence[float], unit: str, goals: tuple[str | None, str | None]
) -> list[Figure]:
    """Return `key_p50` and `key_p99` of the measured `values`."""
    p50, p99 = (float(value) for value in np.percentile(values, (50, 99)))
    return [Figure(f"{key}_p50", p50, unit, goals[0]), Figure(f"{key}_p99", p99, unit, goals[1])]


def save(name: str, figures: Sequence[Figure], directory: Path = RESULTS) -> Path:
    """Write the figures of one benchmark and return the file; figures that it holds under other keys stay.

    A benchmark may so be run in parts; each part replaces its own figures.
    """
    path = directory / f"{name}.json"
    kept = json.loads(path.read_text())["figures"] if path.exists() else {}
    new = {
        figure.key: {
            "value": round(figure.value, 4) if abs(figure.value) < 1_000 else round(figure.value),
            "unit": figure.unit,
            "goal": figure.goal,
            "met": figure.met,
        }
        for figure in figures
    }
    result = {
        "machine": machine(),
        "versions": installed_versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "figures": kept | new,
    }
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path


def machine() -> str:
    """Return the processor, its cores and the memory, and the GPU if there is one, as far as the system tells."""
    try:
        cpu = _value("/proc/cpuinfo", "model name")
        memory_gb = int(_value("/proc/meminfo", "MemTotal").split()[0]) / 1024**2
    except (OSError, StopIteration):
        return platform.platform()
    cores = len(Path("/proc/cpuinfo").read_text().split("processor\t")) - 1
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{cpu}, {cores} cores, {memory_gb:.0f} GB, {platform.system()} {platform.machine()}{gpu}"


def _value(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next(line for line in lines if line.startswith(name)).partition(":")[2].strip()
