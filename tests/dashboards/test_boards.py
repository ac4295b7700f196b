"""Dashboards are as generated, and every panel asks a question that Prometheus and a person understand."""

import itertools
import re

import pytest

from deploy.grafana.__main__ import DIRECTORY, rendered
from tests.dashboards.boards import RANGES, Panel, documents, panels

KINDS = {"stat", "timeseries"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
EVERY = pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.name)


def test_the_committed_dashboards_are_the_generated_ones() -> None:
    assert {path.name: path.read_text() for path in DIRECTORY.glob("*.json")} == rendered(), (
        "run `make dashboards`"
    )


def test_there_are_the_five_dashboards_and_each_leads_to_the_others() -> None:
    found = documents()
    assert len(found) == 5
    for uid, document in found.items():
        targets = {link["url"] for link in document["links"]}
        assert targets == {f"/d/{other}" for other in found if other != uid}
        assert all(link["keepTime"] for link in document["links"])


def test_every_dashboard_lets_the_data_source_be_chosen_and_marks_swaps_of_model_and_index() -> None:
    for document in documents().values():
        variables = {variable["name"]: variable for variable in document["templating"]["list"]}
        assert variables["datasource"]["type"] == "datasource"
        used = set(re.findall(r"\$([a-z]+)", str(document["panels"])))
        assert used <= {*variables, "datasource"}
        assert set(variables) <= used | {"datasource"} | {"worker"}
        assert len(document["annotations"]["list"]) == 2
        assert all(note["datasource"] == SOURCE for note in document["annotations"]["list"])


@EVERY
def test_a_panel_asks_a_question_and_says_what_the_answer_means(panel: Panel) -> None:
    assert panel.title.endswith("?")
    assert len(panel.description) > 20
    assert panel.kind in KINDS
    assert panel.unit in RANGES


@EVERY
def test_a_panel_asks_the_chosen_data_source_with_the_right_windows(panel: Panel) -> None:
    assert panel.targets
    assert panel.raw["datasource"] == SOURCE
    for target in panel.targets:
        assert target["datasource"] == SOURCE
        assert target["legendFormat"]
        windows = re.findall(r"\[([^\]]+)\]", target["expr"])
        assert set(windows) <= {"$__rate_interval", "$__range"}
        assert not re.search(r"_total(?![a-z_])", re.sub(r"\w+\([^)]*\[[^)]*\)", "", target["expr"])) or (
            "models_refused" in target["expr"]
        ), "a counter needs a rate"
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]) or "(" not in target["expr"]


@pytest.mark.parametrize("uid", documents())
def test_panels_do_not_overlap_and_stay_on_the_page(uid: str) -> None:
    places = [panel.place for panel in panels() if panel.board == uid]
    rows = [raw["gridPos"] for raw in documents()[uid]["panels"] if raw["type"] == "row"]
    places += [(row["x"], row["y"], row["w"], row["h"]) for row in rows]
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(places, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    assert all(x >= 0 and x + w <= 24 for x, _, w, _ in places)
    ids = [raw["id"] for raw in documents()[uid]["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("uid", documents())
def test_a_question_is_asked_once_on_a_page(uid: str) -> None:
    titles = [panel.title for panel in panels() if panel.board == uid]
    assert len(set(titles)) == len(titles)
