"""Catalogues of nothing, of one item and of two: slates as short as they must be, whatever is switched on."""

import pytest

from tests.ranking import worlds
from tests.ranking.test_answering import answered, query
from tests.ranking.worlds import NOW_MS, clicks
from workers.ranking.answering import nobody
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.pipeline import Pipeline

WISHES: list[dict[str, object]] = [
    {}, {"diversity": 0.3}, {"variety": 0.01}, {"diversity": 0.3, "variety": 0.01}, {"caps": [{"most": 1}]},
    {"pins": [{"item_id": "i000"}]}, {"rules": ["price >= 0"]}, {"boosts": [{"when": "available", "add": 1}]},
]  # fmt: skip
STATES = [nobody("new", 0), clicks("one", 0), clicks("all", *range(8))]


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("wishes", WISHES, ids=str)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_items_come_and_go_down_to_none(count: int, wishes: dict[str, object], second: bool) -> None:
    settings = worlds.settings(**wishes)
    catalogue = Catalogue(settings.ranking)
    for number in range(count):
        catalogue.put(worlds.item(number))
    generation = Generation(worlds.model(second=second), catalogue, settings)
    pipeline = Pipeline(generation, settings)

    def lengths() -> list[int]:
        for asked in (query(None), query(0), query(0, include_seen=True, exclude=("i000", "nothing"))):
            answered(pipeline, asked, STATES[1])
        return [len(slate.rows) for slate in pipeline.recommend(STATES, NOW_MS)]

    assert lengths() == [count, max(0, count - 1), 0]
    generation.refresh([catalogue.put(worlds.item(number)) for number in range(count, 3)])
    assert lengths() == [3, 2, 0]
    for number in range(3):
        row = catalogue.delete(worlds.item_id(number))
        assert row is not None
        generation.refresh([row])
    assert lengths() == [0, 0, 0]
    generation.close()
