"""A dashboard and its panels: everything that all of them have in common."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard

SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG: Final = "headrace"
GREEN, AMBER, RED = "green", "orange", "red"
_WIDTH: Final = 24
_OTHERS: Final = {
    "headrace-overview": "Overview",
    "headrace-pipeline": "Pipeline",
    "headrace-models": "Index and models",
    "headrace-feedback": "Feedback and quality",
    "headrace-worker": "Worker",
}


class Query(NamedTuple):
    """One line of a panel."""

    expr: str
    legend: str


class Levels(NamedTuple):
    """Where a value turns amber and red.

    Attributes:
        high_is_bad: colours go up to red; otherwise red is below `red`.
    """

    amber: float
    red: float
    high_is_bad: bool = True

    def steps(self) -> list[dashboard.Threshold]:
        """Return Grafana's steps, the lowest first."""
        if self.high_is_bad:
            bounds: list[tuple[float | None, str]] = [(None, GREEN), (self.amber, AMBER), (self.red, RED)]
        else:
            bounds = [(None, RED), (self.red, AMBER), (self.amber, GREEN)]
        return [dashboard.Threshold(value, colour) for value, colour in bounds]


Panel = stat.Panel | timeseries.Panel


def number(
    title: str,
    about: str,
    unit: str,
    query: Query,
    *,
    width: int = 6,
    height: int = 5,
    levels: Levels | None = None,
    text: bool = False,
) -> Panel:
    """Return a panel that shows one value, the newest.

    Args:
        title: the question that it answers.
        about: what the answer means and what to do when it is bad.
        unit: Grafana's id of the unit.
        height: 8 beside charts.
        text: show the series' name instead of its value.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .height(height)
        .span(width)
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE if text else common.BigValueGraphMode.AREA)
        .text_mode(common.BigValueTextMode.NAME if text else common.BigValueTextMode.AUTO)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(levels))
        .with_target(_target(query, 0))
    )
    return panel.min(0).max(1) if unit == "percentunit" else panel.min(0)


def chart(
    title: str,
    about: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    levels: Levels | None = None,
    stacked: bool = False,
) -> Panel:
    """Return a panel that shows lines over time; arguments as of `number`.

    Args:
        stacked: the lines are parts of a whole.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .height(8)
        .span(width)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .stacking(
            common_builders.StackingConfig().mode(
                common.StackingMode.NORMAL if stacked else common.StackingMode.NONE
            )
        )
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .thresholds(_thresholds(levels))
        .thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED if levels else common.GraphThresholdsStyleMode.OFF
            )
        )
    )
    for number_, query in enumerate(queries):
        panel = panel.with_target(_target(query, number_))
    return panel


class Board:
    """One dashboard. Rows are questions; panels fill them from the left.

    Args:
        uid: stable name; links and the file's name are made of it.
        variables: label -> query that lists the choices, beside the data source.
    """

    def __init__(self, uid: str, about: str, variables: dict[str, str] | None = None) -> None:
        self.uid = uid
        self._next_id = 1
        self._dashboard = (
            builders.Dashboard(f"Headrace · {_OTHERS[uid]}")
            .uid(uid)
            .description(about)
            .tags([TAG])
            .timezone("browser")
            .time("now-1h", "now")
            .refresh("10s")
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        )
        for name, query in (variables or {}).items():
            self._dashboard = self._dashboard.with_variable(_variable(name, query))
        for name, colour, expr, text in _SWAPS:
            self._dashboard = self._dashboard.annotation(_swap(name, colour, expr, text))
        for other, title in _OTHERS.items():
            if other != uid:
                self._dashboard = self._dashboard.link(_link(other, title))

    def row(self, question: str, panels: Sequence[Panel]) -> "Board":
        """Add a row."""
        self._dashboard = self._dashboard.with_row(builders.Row(question).id(self._id()))
        for panel in panels:
            self._dashboard = self._dashboard.with_panel(panel.id(self._id()))
        return self

    def build(self) -> dashboard.Dashboard:
        """Return the finished dashboard."""
        return self._dashboard.build()

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


_SWAPS: Final = (
    (
        "Model swaps",
        "purple",
        "max by (instance) (headrace_ranking_model_loaded_timestamp_seconds > 0) * 1000",
        "{{instance}} took up a model",
    ),
    (
        "Index rebuilds",
        "blue",
        'max by (instance) (headrace_index_built_timestamp_seconds{index="items"}) * 1000',
        "{{instance}} serves from a new main tier",
    ),
)


def _swap(name: str, colour: str, expr: str, text: str) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(colour)
        .expr(expr)
        .title_format(name)
        .text_format(text)
        .use_value_for_time(True)
    )


def _variable(name: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(True, ["All"], ["$__all"]))
    )


def _link(uid: str, title: str) -> builders.DashboardLink:
    return (
        builders.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .icon("dashboard")
        .keep_time(True)
    )


def _thresholds(levels: Levels | None) -> builders.ThresholdsConfig:
    steps = levels.steps() if levels else [dashboard.Threshold(None, GREEN)]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: Query, number_: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .expr(query.expr)
        .legend_format(query.legend)
        .range()
        .ref_id(chr(ord("A") + number_))
    )
