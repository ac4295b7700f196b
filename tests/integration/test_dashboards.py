"""Dashboards and alerts on a live system: real Kafka, real workers, Debian's Prometheus and Alertmanager."""

from pathlib import Path

import pytest

from tests.dashboards.faults import BEFORE_ALL, FAULTS, NOT_LIVE
from tests.dashboards.monitoring import MISSING, installed
from tests.dashboards.scenario import play
from tests.dashboards.test_alerts import ALERTS

pytestmark = [pytest.mark.processes, pytest.mark.kafka, pytest.mark.timeout(900)]


def test_every_alert_is_proven_live_or_has_a_reason() -> None:
    proven = {alert for fault in FAULTS for alert in fault.alerts} | set(BEFORE_ALL)
    assert proven | set(NOT_LIVE) == set(ALERTS)
    assert not proven & set(NOT_LIVE)


def test_every_panel_has_data_faults_move_them_and_alerts_reach_a_webhook(
    empty_kafka: str, tmp_path: Path
) -> None:
    if not installed():
        pytest.skip(MISSING)
    outcome = play(empty_kafka, tmp_path)
    assert outcome.panels > 50
    assert not outcome.silent
    assert not outcome.wrong
    assert not outcome.unmoved
    assert not outcome.unproven
    assert outcome.proven <= outcome.heard
