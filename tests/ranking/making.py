"""Pipelines over small worlds, users, and words for what comes out."""

from prometheus_client import REGISTRY

from streams.contracts import EventType, UserState
from tests.ranking import worlds
from tests.ranking.worlds import clicks, state
from workers.ranking.candidates import Slate
from workers.ranking.generation import Generation
from workers.ranking.pipeline import Pipeline, Stages


class Makes:
    """Makes pipelines, and ends the threads of their indexes."""

    def __init__(self) -> None:
        self.generations: list[Generation] = []

    def __call__(
        self, changed: worlds.Change | None = None, *, second: bool = False, **ranking: object
    ) -> Pipeline:
        settings = worlds.settings(**ranking)
        self.generations.append(worlds.generation(settings, changed=changed, second=second))
        return Pipeline(self.generations[-1], settings, Stages(settings))


def numbers(slate: Slate) -> list[int]:
    found: list[int] = slate.rows.tolist()
    return found  # row n is item n: nothing else was put


def codes(slate: Slate) -> set[str]:
    return {reason.code for reasons in slate.reasons for reason in reasons}


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_ranking_{name}", labels) or 0.0


USERS: list[UserState] = [
    clicks("nobody"),
    clicks("new", 5, 9),
    clicks("known", *range(10, 18)),
    state(
        "buyer", [(3, EventType.PURCHASE), (4, EventType.DISLIKE), (7, EventType.RATING, 4.0), (8, EventType.VIEW)]
    ),
]
