"""The results of an evaluation as one HTML page that stands alone: tables, and curves beside them."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

from workers.ranking.evaluation.charts import Line, chart
from workers.ranking.evaluation.measuring import DEPTH

_NDCG: Final = f"ndcg_at_{DEPTH}"
CANDIDATE_COLUMNS: Final = {"asked": "asked", "recall_at_50": "R@50", "recall_at_200": "R@200"}
"""Heading by measure of each source: the share of questions that it is asked, and recall of all next items."""
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } th, td { padding: .2rem .7rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr + tr { border-top: 1px solid #ddd }
svg { width: 100%; height: auto; font-size: 12px } .grid { stroke: #ddd } p { max-width: 48rem }
"""


def page(found: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        found: of `evaluate_all`.
        columns: heading by measure, of the tables.
    """
    parts = [_protocol(name, result, columns) for name, result in found["protocols"].items()]
    title = f"Evaluation on {escape(str(found['dataset']))}"
    facts = (
        f"{found['events']:,} events, {found['items']:,} items; all are ranked, seen ones masked for every system."
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{facts}</p>{''.join(parts)}</html>\n"
    )


def _protocol(name: str, result: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    systems = result["systems"]
    charts = [
        ("By length of the history", _curve(systems, "by_history", "events", "events of the history")),
        ("By day", _curve(systems, "by_day", "day", "day of the newest event")),
        ("Foretold and held", _reliability(systems)),
    ]
    return (
        f"<h2>{escape(name)}</h2><p>{result['questions']:,} questions of {result['users']:,} users.</p>"
        f"{_table('system', systems, columns)}<h3>Next items among the candidates</h3>"
        f"{_table('source', result['candidates'], CANDIDATE_COLUMNS)}"
        + "".join(f"<h3>{title}</h3>{svg}" for title, svg in charts if svg)
    )


def _table(first: str, lines: Mapping[str, Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Return a table with one line a name; a measure that is not there leaves its cell empty."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in (first, *columns.values()))
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{measures[key]:.4f}</td>" if key in measures else "<td></td>" for key in columns)
        + "</tr>"
        for name, measures in lines.items()
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _curve(systems: Mapping[str, Any], curve: str, key: str, x_title: str) -> str:
    points = {name: measures[curve] for name, measures in systems.items()}
    names = [point[key] for point in next(iter(points.values()))]
    if len(names) < 2:
        return ""
    return _drawn(
        points,
        x=lambda number, _: number / (len(names) - 1),
        y=_NDCG,
        labels={number / (len(names) - 1): label for number, label in enumerate(names)},
        titles=(x_title, f"NDCG@{DEPTH}"),
    )


def _reliability(systems: Mapping[str, Any]) -> str:
    points = {name: found["calibration"]["bins"] for name, found in systems.items() if "calibration" in found}
    if not points:
        return ""
    widest = max(point["foretold"] for bins in points.values() for point in bins) or 1.0
    ideal = [{"foretold": share * widest, "held": share * widest} for share in (0.0, 1.0)]
    return _drawn(
        points | {"as foretold": ideal},
        x=lambda _, point: point["foretold"] / widest,
        y="held",
        labels={step / 4: f"{widest * step / 4:.2g}" for step in range(5)},
        titles=(f"foretold chance that the next item is in a slate of {DEPTH}", "share that held it"),
    )


def _drawn(
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    x: Callable[[int, Mapping[str, Any]], float],
    y: str,
    labels: Mapping[float, str],
    titles: tuple[str, str],
) -> str:
    top = max(point[y] for line in points.values() for point in line) or 1.0
    lines = [
        Line(name, [(x(number, point), point[y] / top) for number, point in enumerate(line)])
        for name, line in points.items()
    ]
    return chart(lines, labels, top, *titles)
