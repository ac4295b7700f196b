"""Trends by hand, and the little of a world that sources and scores of strangers ask for."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from streams.contracts import EventType, ItemTrend, ItemVector
from workers.ranking.candidates import Query, Step
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.trends import Trends

HOUR_MS = 3_600_000
NOW_MS = 1_000 * HOUR_MS
CLICK = EventType.CLICK


def trend(item: str, hour: float, day: float, week: float, kind: EventType = CLICK, ms: int = NOW_MS) -> ItemTrend:
    return ItemTrend(1, item, ms, {list(EventType).index(kind): (hour, day, week)}, 0)


def catalogue(*items: str) -> Catalogue:
    made = Catalogue()
    for item in items:
        made.put(vector(item))
    return made


def vector(item: str) -> ItemVector:
    return ItemVector(1, item, np.ones(2, "<f4").tobytes(), bytes(16), item, (), None, True, None)


def world(trends: Trends, *items: str) -> Generation:
    held = catalogue(*items)
    size = len(held.available)
    return cast(
        Generation,
        SimpleNamespace(
            catalogue=held,
            trends=trends,
            popularity=np.zeros(size, np.float32),
            item_matrix=np.ones((size, 2), np.float32),
        ),
    )


def stranger(*seen: int) -> Query:
    return Query(cast(Any, None), np.zeros(0, np.int64), np.array(seen, np.int64), None, Step.NO_HISTORY)


def names(found: Generation, rows: Any) -> list[str]:
    return [found.catalogue[row].item_id for row in rows]
