"""The preview's page holds every panel of its dashboard, and nothing that a browser could take for its own."""

import json
import re
from typing import Any, cast

import pytest

from tests.dashboards.boards import documents, panels
from tests.dashboards.monitoring import Monitoring, Series
from tests.dashboards.pages import label, page


class Answers:
    """Gives one series with a hole for every query."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def query_range(self, expr: str, start: float, end: float, step: float) -> Series:
        self.asked.append(expr)
        return [({"topic": "</script><b>"}, [(start, 1.0), (start + step, float("nan")), (end, 2.0)])]


def data(uid: str) -> tuple[dict[str, Any], str]:
    answers = Answers()
    text = page(uid, cast(Monitoring, answers), 1_000.0, 1_060.0, "var uPlot; '</script>'", "b {}")
    assert not any("$" in expr.replace(".*", "") for expr in answers.asked)
    (found,) = re.findall(r"^const board = (.*);$", text, flags=re.MULTILINE)
    return json.loads(found), text


@pytest.mark.parametrize("uid", documents())
def test_a_page_holds_every_row_and_panel_with_its_place_unit_and_numbers(uid: str) -> None:
    shown, _ = data(uid)
    own = [panel for panel in panels() if panel.board == uid]
    assert [(panel["title"], panel["unit"], panel["kind"]) for panel in shown["panels"]] == [
        (panel.title, panel.unit, panel.kind) for panel in own
    ]
    assert [tuple(panel[side] for side in "xywh") for panel in shown["panels"]] == [panel.place for panel in own]
    assert [len(panel["series"]) for panel in shown["panels"]] == [len(panel.exprs) for panel in own]
    for panel in shown["panels"]:
        assert panel["series"][0]["points"] == [[1_000.0, 1.0], [1_060.0, 2.0]]
    assert len(shown["rows"]) == sum(raw["type"] == "row" for raw in documents()[uid]["panels"])


def test_what_labels_and_the_library_say_ends_no_script() -> None:
    _, text = data("headrace-pipeline")
    assert text.count("</script>") == 2
    assert "preview, not Grafana" in text


def test_a_legend_is_filled_from_labels_and_a_missing_one_is_empty() -> None:
    assert label("{{topic}} {{reason}}", {"topic": "t"}) == "t "
    assert label("median", {}) == "median"
