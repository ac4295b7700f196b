"""What is watched is exported, what is exported is watched; names and labels are Headrace's."""

import re
from pathlib import Path

import pytest
import yaml

from tests.dashboards.boards import DEPLOY, documents, names_in, panels
from tests.dashboards.exported import FEEDBACK, feedback_is_here, metrics, series

UNWATCHED: dict[str, str] = {}
"""Metrics that no panel and no alert reads -> why they are exported all the same."""
UNITS = re.compile(
    r"_(seconds|bytes|ratio|records|tokens|texts|items|slates|users|vectors|partitions|info|ready|waiting|offset"
    r"|timestamp_seconds|slots)$"
)
LABELS = {
    "action", "cause", "encoder", "evidence", "filter", "index", "level", "model_version", "name", "outcome",
    "partition", "position", "reason", "source", "stage", "topic", "version",
}  # fmt: skip
FEEDBACK_SERIES = {
    f"{FEEDBACK}{name}"
    for name in (
        "messages_total", "rejected_total", "exposures_total", "outcomes_total", "exposures_by_position_total",
        "outcomes_by_position_total", "examples_total", "unattributed_total", "duplicates_total", "lag_records",
        "lag_seconds", "handle_seconds_bucket", "handle_seconds_sum", "handle_seconds_count", "users",
    )
}  # fmt: skip
"""What the feedback app exports; checked against the app itself as soon as it is in the tree."""
OTHERS = {
    "up": "Prometheus' own",
    "process_cpu_seconds_total": "prometheus-client's, on Linux",
    "process_resident_memory_bytes": "prometheus-client's, on Linux",
    "process_open_fds": "prometheus-client's, on Linux",
    "process_max_fds": "prometheus-client's, on Linux",
    "process_start_time_seconds": "prometheus-client's, on Linux",
}


def alert_exprs() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def used() -> set[str]:
    """Return every series that a panel, a variable, an annotation or an alert reads."""
    exprs = [expr for panel in panels() for expr in panel.exprs] + alert_exprs()
    for document in documents().values():
        exprs += [note["expr"] for note in document["annotations"]["list"]]
        exprs += [str(variable.get("query", "")) for variable in document["templating"]["list"]]
    return {name for expr in exprs for name in names_in(expr)}


def test_every_series_that_is_read_is_exported() -> None:
    ours = {name for name in used() if name.startswith("headrace_")}
    expected = series() if feedback_is_here() else series() | FEEDBACK_SERIES
    assert ours - expected == set()
    assert used() - ours == set(OTHERS)


def test_every_exported_metric_is_read_or_has_a_reason() -> None:
    read = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used()}
    exported = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series()}
    assert exported - read == set(UNWATCHED)


@pytest.mark.skipif(
    not feedback_is_here(), reason="THE FEEDBACK APP IS NOT IN THIS TREE: its names are not checked"
)
def test_the_feedback_app_exports_what_is_expected_of_it() -> None:
    assert {name for name in series() if name.startswith(FEEDBACK)} >= FEEDBACK_SERIES


def test_names_say_package_thing_and_unit() -> None:
    assert len(metrics()) > 40
    for name, (kind, _) in metrics().items():
        assert re.match(r"headrace_(streams|encoder|index|ranking|workers|feedback)_[a-z0-9_]+$", name), name
        if kind != "counter":  # a counter's own unit is what it counts, and its suffix is `_total`
            assert UNITS.search(name), name


def test_labels_are_few_and_name_no_user_and_no_item() -> None:
    for name, (_, labels) in metrics().items():
        assert set(labels) <= LABELS, name
        assert len(labels) <= 4, name


def test_metrics_are_declared_in_one_place_a_package() -> None:
    root = DEPLOY.parent
    for package in ("streams", "encoder", "index", "workers"):
        for path in sorted((root / package).rglob("*.py")):
            if path.stem not in ("metrics", "batch_histogram"):
                assert not _declares(path), path


def _declares(path: Path) -> bool:
    return re.search(r"\b(Counter|Gauge|Histogram|BatchHistogram)\(\s*\"headrace_", path.read_text()) is not None
