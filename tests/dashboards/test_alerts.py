"""Alerts: right by promtool, held to the promises, each with a page that says what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

from streams import slo
from tests.dashboards.boards import DEPLOY, panels
from tests.dashboards.exported import metrics

PROMETHEUS = DEPLOY / "prometheus"
RULES = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
EVERY = pytest.mark.parametrize("name", ALERTS)
MISSING = "NO {0}: install Debian's `prometheus` and `prometheus-alertmanager` to run the tests that need it"


def run(program: str, *arguments: str, stdin: str | None = None) -> None:
    if shutil.which(program) is None:
        pytest.skip(MISSING.format(program))
    done = subprocess.run(
        [program, *arguments],
        cwd=PROMETHEUS,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules_and_the_configuration() -> None:
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml")
    run("promtool", "check", "config", "--lint=all", "prometheus.yaml")


def test_promtool_takes_every_metric() -> None:
    names = metrics()  # which imports every module that declares one
    page = generate_latest(REGISTRY).decode()
    assert all(f"# TYPE {name}" in page for name in names)
    run("promtool", "check", "metrics", stdin=page)


def test_every_alert_fires_when_it_should_and_is_silent_when_not() -> None:
    run("promtool", "test", "rules", "alerts.test.yaml", "alerts.days.test.yaml")


def test_amtool_takes_the_configuration_of_alertmanager() -> None:
    run("amtool", "check-config", "../alertmanager/alertmanager.yaml")


def _cases(fires: bool) -> set[str]:
    files = [
        yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("alerts.test.yaml", "alerts.days.test.yaml")
    ]
    cases: list[dict[str, Any]] = [
        case for file in files for test in file["tests"] for case in test["alert_rule_test"]
    ]
    return {case["alertname"] for case in cases if bool(case["exp_alerts"]) == fires}


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    assert _cases(fires=True) == set(ALERTS)


def test_every_alert_has_a_series_or_a_case_in_which_it_is_silent() -> None:
    # Those not named here are silent beside a firing series of the same case: exp_alerts lists all that fire.
    beside = {"HeadraceDeadLetters", "HeadraceRecallLow", "HeadracePartitionStuck"}
    assert _cases(fires=False) | beside == set(ALERTS)


@EVERY
def test_an_alert_says_how_bad_and_has_a_page_that_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    page = (DEPLOY.parent / rule["annotations"]["runbook"]).read_text()
    assert f"`{name}` ({rule['labels']['severity']})" in page
    for heading in ("## What it means", "## What to look at", "## What to do"):
        assert heading in page


def test_every_page_belongs_to_an_alert_and_its_links_lead_somewhere() -> None:
    pages = {Path(rule["annotations"]["runbook"]).name for rule in ALERTS.values()}
    assert {path.name for path in (DEPLOY / "runbooks").glob("*.md")} == pages
    for path in (DEPLOY / "runbooks").glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
            assert (path.parent / target).exists(), (path.name, target)


def test_the_page_names_every_condition_of_readiness() -> None:
    source = (DEPLOY.parent / "workers" / "processes.py").read_text()
    calls = re.findall(r"health\.(?:expect|set)\(([^)]*)\)", source)
    conditions = {name for call in calls for name in re.findall(r'"(\w+)"', call)}
    assert len(conditions) == 4
    page = (DEPLOY / "runbooks" / "worker-not-ready.md").read_text()
    for name in conditions:
        assert page.count(f"`{name}`") > 1, name


def test_every_panel_that_a_page_names_exists() -> None:
    titles = {panel.title for panel in panels()}
    for path in (DEPLOY / "runbooks").glob("*.md"):
        for asked in re.findall(r"\*(?:[^*·]+· )?([^*]+\?)\*", path.read_text()):
            assert asked in titles, (path.name, asked)


def test_alerts_hold_the_service_to_its_promises() -> None:
    exprs = {rule.get("alert", rule.get("record")): rule["expr"] for rule in RULES}
    late = [expr for name, expr in exprs.items() if name.startswith("headrace:freshness_late")]
    assert late
    assert all(f'le="{slo.FRESHNESS_SECONDS}"' in expr for expr in late)
    budget = f"{1 - slo.FRESHNESS_SHARE:.2f}"
    assert exprs["HeadraceFreshnessBurnsFast"].count(f"* {budget})") == 2
    assert exprs["HeadraceFreshnessBurnsSlow"].count(f"* {budget})") == 2
    assert exprs["HeadraceDeadLetters"].endswith(f"> {slo.DEAD_LETTER_RATIO}")
    assert exprs["HeadraceFallbacks"].endswith(f"> {slo.FALLBACK_RATIO}")
    assert f"({slo.RECALL_RATIO} - " in exprs["HeadraceRecallLow"]
    assert exprs["HeadraceModelOld"].endswith(f"{slo.MODEL_AGE_SECONDS / 86_400:.0f} * 86400")
    assert exprs["HeadraceIndexOld"].endswith(f"{slo.INDEX_AGE_SECONDS / 86_400:.0f} * 86400")
