"""The committed rules and configurations, with windows that a test can wait for."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from tests.dashboards.boards import DEPLOY

FACTOR: Final = 60
"""An hour is a minute. Thresholds of lag and silence shrink alike; a threshold in days counts seconds."""
_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])")


def duration(text: str) -> str:
    """Return a Prometheus duration, shortened."""
    return f"{max(1, int(text[:-1]) * _UNITS[text[-1]] // FACTOR)}ms"


def expression(expr: str) -> str:
    """Return an expression with shortened windows and thresholds of time."""
    shorter = _DURATION.sub(lambda found: duration(found.group(0)), expr)
    shorter = re.sub(
        r"(_seconds\)?) > (\d+)\b", lambda at: f"{at.group(1)} > {int(at.group(2)) / FACTOR:g}", shorter
    )
    return shorter.replace("* 86400", "* 1")


def rules() -> dict[str, Any]:
    """Return the committed rules, shortened."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    for group in found["groups"]:
        for rule in group["rules"]:
            rule["expr"] = expression(rule["expr"])
            if "for" in rule:
                rule["for"] = duration(rule["for"])
    return found


def prometheus(targets: dict[str, str], alertmanager: str, rule_file: Path) -> dict[str, Any]:
    """Return the committed configuration for these targets, worker -> host:port, scraped every second."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    found["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    found["rule_files"] = [str(rule_file)]
    found["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    known = {entry["labels"]["worker"] for entry in found["scrape_configs"][0]["static_configs"]}
    assert set(targets) <= known, "a worker that the committed configuration does not scrape"
    found["scrape_configs"][0]["static_configs"] = [
        {"targets": [address], "labels": {"worker": worker}} for worker, address in targets.items()
    ]
    return found


def alertmanager(webhook: str) -> dict[str, Any]:
    """Return the committed configuration, told to call `webhook` at once."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yaml").read_text())
    for route in (found["route"], *found["route"]["routes"]):
        route.update(group_wait="0s", group_interval="1s")
    for receiver in found["receivers"]:
        receiver["webhook_configs"][0]["url"] = webhook
    return found
