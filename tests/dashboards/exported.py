"""What the packages export: every metric of every module called `metrics`, and of the feedback app."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

PACKAGES: Final = ("streams", "encoder", "index", "workers")
SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
FEEDBACK: Final = "headrace_feedback_"


@cache
def modules() -> tuple[ModuleType, ...]:
    """Return every module called `metrics`, imported."""
    found = []
    for package in PACKAGES:
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda _: None):
            if info.name.rpartition(".")[2] == "metrics" and ".evaluation." not in info.name:
                found.append(importlib.import_module(info.name))
    return tuple(found)


def series() -> set[str]:
    """Return the names of all series that begin with `headrace_`."""
    assert modules()
    return {
        family.name + suffix
        for family in REGISTRY.collect()
        if family.name.startswith("headrace_")
        for suffix in SUFFIXES.get(family.type, ("",))
    }


def metrics() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return name -> (type, names of labels) of every metric that a module declares."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, MetricWrapperBase):
                found[value._name] = (str(value._type), tuple(value._labelnames))
    return found


def feedback_is_here() -> bool:
    """Return whether the feedback app and its metrics are part of this tree."""
    return any(name.startswith(FEEDBACK) for name in series())
