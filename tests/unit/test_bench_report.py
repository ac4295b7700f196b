"""A benchmark's figures: verdicts, files, and the README's tables."""

import json
from pathlib import Path

import pytest

from tests.bench import tables
from tests.bench.report import Figure, percentiles, save


@pytest.mark.parametrize(
    ("value", "goal", "met"),
    [(3, ">= 3", True), (2.9, ">= 3", False), (3, "<= 3", True), (0, "== 0", True), (1, "== 0", False)],
)
def test_a_goal_is_met_or_missed_and_never_rounded_into_reach(value: float, goal: str, met: bool) -> None:
    assert Figure("k", value, "s", goal).met is met


def test_a_part_of_a_benchmark_replaces_its_own_figures_only(tmp_path: Path) -> None:
    save("x", [Figure("a", 1, "s"), Figure("b", 2, "s", ">= 3")], tmp_path)
    path = save("x", percentiles("a", [1.0, 2.0, 3.0], "ms", ("<= 2", None)), tmp_path)
    figures = json.loads(path.read_text())["figures"]
    assert list(figures) == ["a", "b", "a_p50", "a_p99"]
    assert figures["b"] == {"value": 2, "unit": "s", "goal": ">= 3", "met": False}
    assert figures["a_p50"]["met"] is True
    table = tables.section(tmp_path)
    assert "| `b` | 2 s | ≥ 3 | **missed** |" in table


def test_the_readme_holds_the_measured_figures() -> None:
    text = tables.README.read_text()
    assert tables.replaced(text, tables.section()) == text, "run `make figures`"
