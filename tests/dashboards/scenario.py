"""One run in which all that dashboards and alerts claim is tried: quiet traffic, then one fault at a time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.dashboards.boards import RANGES, Panel, filled, names_in, panels
from tests.dashboards.exported import FEEDBACK
from tests.dashboards.faults import BEFORE_ALL, FAULTS, Fault
from tests.dashboards.monitoring import Monitoring, finite
from tests.dashboards.shop import Shop, shop

WINDOW: Final = "5s"
SHOWN: Final = "1m"
QUIET_SECONDS: Final = 12.0
FAULT_SECONDS: Final = 90.0
MOVE_SECONDS: Final = 20.0
SLACK: Final = 1.05
"""Rates are extrapolated: a share may come out some percent above 1."""


@dataclass
class Outcome:
    """What the run showed.

    Attributes:
        silent: panel -> the query that gave no number.
        wrong: panel -> a value outside the range of its unit.
        unmoved: panels that a fault should have moved and did not.
        proven: alerts that fired by their fault, and not before it.
        unproven: alerts that did not.
        heard: alerts that reached the webhook.
        panels: how many were asked.
        took_seconds: of starting, and of each fault.
    """

    silent: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)
    unmoved: list[str] = field(default_factory=list)
    proven: set[str] = field(default_factory=set)
    unproven: set[str] = field(default_factory=set)
    heard: set[str] = field(default_factory=set)
    panels: int = 0
    took_seconds: dict[str, float] = field(default_factory=dict)


def watched(feedback: bool) -> list[Panel]:
    """Return the panels that can have data: without the feedback worker, those that do not read it."""
    return [
        panel
        for panel in panels()
        if feedback or not any(name.startswith(FEEDBACK) for expr in panel.exprs for name in names_in(expr))
    ]


def play(broker: str, directory: Path, after: Callable[[Shop, float], None] = lambda *_: None) -> Outcome:
    """Run the scenario on a real Kafka without topics of ours.

    Args:
        after: called at the end with what runs, and the Unix time at which it began.
    """
    outcome = Outcome()
    started = time.time()
    with shop(broker, directory) as running:
        monitoring = running.monitoring
        outcome.took_seconds["start"] = time.time() - started
        outcome.proven |= set(BEFORE_ALL) & monitoring.webhook.heard
        time.sleep(QUIET_SECONDS)
        for fault in FAULTS:
            _suffer(fault, running, outcome)
        names = {alert for fault in FAULTS for alert in fault.alerts} | set(BEFORE_ALL)
        outcome.unproven = names - outcome.proven
        monitoring.until(lambda: outcome.proven <= monitoring.webhook.heard, "the webhook heard all", 30)
        outcome.heard = set(monitoring.webhook.heard)
        _ask(monitoring, watched("feedback" in running.workers._children), started, outcome)
        after(running, started)
    return outcome


def _suffer(fault: Fault, running: Shop, outcome: Outcome) -> None:
    """Inflict one fault; note which alerts it brought and which panels it moved."""
    monitoring, asked = running.monitoring, time.time()
    before = {place: _largest(monitoring, *place, 8.0) for place in fault.moves}
    # An alert that fires already proves nothing about this fault.
    monitoring.until(
        lambda: not monitoring.firing() & set(fault.alerts) or not fault.moves,
        f"it is quiet before {fault.name}",
        60,
    )
    outcome.took_seconds[f"quiet before {fault.name}"] = time.time() - asked
    started = time.time()

    def wait(*alerts: str, again: Callable[[], None] = lambda: None) -> None:
        deadline = time.monotonic() + FAULT_SECONDS
        left = set(alerts)
        while left and time.monotonic() < deadline:
            again()
            fired = left & monitoring.firing()
            outcome.proven |= fired
            left -= fired
            time.sleep(0.5)

    fault.inflict(running, wait)
    ended = time.time()
    outcome.took_seconds[fault.name] = ended - started
    while (still := _unmoved(monitoring, before, started)) and time.time() < ended + MOVE_SECONDS:
        time.sleep(0.5)
    outcome.unmoved += [f"{board}: {title} by {fault.name}" for board, title in still]


def _unmoved(monitoring: Monitoring, before: dict[tuple[str, str], float], since: float) -> list[tuple[str, str]]:
    return [
        place for place, least in before.items() if not _largest(monitoring, *place, time.time() - since) > least
    ]


def _largest(monitoring: Monitoring, board: str, title: str, seconds: float) -> float:
    (panel,) = [panel for panel in panels() if (panel.board, panel.title) == (board, title)]
    now = time.time()
    found = [
        value
        for expr in panel.exprs
        for value in finite(monitoring.query_range(filled(expr, WINDOW, "5s"), now - seconds, now))
    ]
    return max(found, default=0.0)


def _ask(monitoring: Monitoring, asked: list[Panel], started: float, outcome: Outcome) -> None:
    outcome.panels = len(asked)
    for panel in asked:
        low, high = RANGES[panel.unit]
        for expr in panel.exprs:
            series = monitoring.query_range(filled(expr, WINDOW, SHOWN), started, time.time())
            values = finite(series)
            if not values:
                outcome.silent[panel.name] = expr
            endless = [value for _, points in series for _, value in points if not math.isfinite(value)]
            beyond = [value for value in values if not low <= value <= high * SLACK]
            if endless or beyond:
                outcome.wrong[panel.name] = (endless + beyond)[0]
