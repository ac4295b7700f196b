"""A dashboard's JSON and a Prometheus' answers as one page that needs nothing else; see preview.html."""

import json
import re
from pathlib import Path
from typing import Any, Final

from tests.dashboards.boards import documents, filled, panels
from tests.dashboards.monitoring import Monitoring, Series, finite

TEMPLATE: Final = Path(__file__).with_name("preview.html")
STEP_SECONDS: Final = 1.0


def page(uid: str, answers: Monitoring, start: float, end: float, library: str, style: str) -> str:
    """Return the page of one dashboard.

    Args:
        start: Unix time from which on it shows.
        library: uPlot's script.
        style: uPlot's style sheet.
    """
    content = (
        TEMPLATE.read_text()
        .replace("/*uplot-css*/", style)
        .replace("/*uplot-js*/", library.replace("</script", "<\\/script"))
    )
    data = json.dumps(shown(uid, answers, start, end)).replace("</", "<\\/")
    return content.replace("/*data*/null", data)


def shown(uid: str, answers: Monitoring, start: float, end: float) -> dict[str, Any]:
    """Return all that the page draws: rows, panels with their series, notes."""
    document = documents()[uid]
    return {
        "title": document["title"],
        "about": document["description"],
        "start": start,
        "end": end,
        "step": STEP_SECONDS,
        "rows": [
            {"title": raw["title"], "y": raw["gridPos"]["y"]} for raw in document["panels"] if raw["type"] == "row"
        ],
        "panels": [_panel(panel.raw, answers, start, end) for panel in panels() if panel.board == uid],
        "annotations": _notes(document, answers, start, end),
    }


def _panel(raw: dict[str, Any], answers: Monitoring, start: float, end: float) -> dict[str, Any]:
    defaults, options, place = raw["fieldConfig"]["defaults"], raw["options"], raw["gridPos"]
    custom = defaults.get("custom", {})
    series = [
        {"label": label(target["legendFormat"], labels), "points": points}
        for target in raw["targets"]
        for labels, points in _asked(answers, target["expr"], start, end)
    ]
    return {
        "title": raw["title"],
        "kind": raw["type"],
        "unit": defaults["unit"],
        **{side: place[side] for side in "xywh"},
        "text": options.get("textMode") == "name",
        "stacked": custom.get("stacking", {}).get("mode") == "normal",
        "dashed": custom.get("thresholdsStyle", {}).get("mode") == "dashed",
        "thresholds": defaults["thresholds"]["steps"],
        "series": sorted(series, key=lambda one: -len(one["points"])) if raw["type"] == "stat" else series,
    }


def _notes(document: dict[str, Any], answers: Monitoring, start: float, end: float) -> list[dict[str, Any]]:
    """Return the moments that annotations mark: their value is the time, in milliseconds."""
    found = []
    for note in document["annotations"]["list"]:
        times = {value / 1000 for value in finite(_asked(answers, note["expr"], start, end))}
        found += [{"time": time, "color": note["iconColor"]} for time in sorted(times) if start <= time <= end]
    return found


def _asked(answers: Monitoring, expr: str, start: float, end: float) -> Series:
    window = f"{5 * STEP_SECONDS:.0f}s"
    series = answers.query_range(filled(expr, window, "1m"), start, end, STEP_SECONDS)
    return [(labels, [point for point in points if finite([(labels, [point])])]) for labels, points in series]


def label(legend: str, labels: dict[str, str]) -> str:
    """Return a series' name, with its labels in the place of `{{name}}`."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found.group(1), ""), legend)
