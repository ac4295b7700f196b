"""Pipelines over small worlds, users, and words for what comes out."""

from collections.abc import Sequence

import numpy as np
from prometheus_client import REGISTRY

from streams.contracts import EventType, UserState
from tests.ranking import worlds
from tests.ranking.worlds import NOW_MS, clicks, state
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


def assert_no_score_moves_with_the_batch(pipeline: Pipeline, states: Sequence[UserState]) -> None:
    """Score the states together and each alone."""
    queries = pipeline.hydrate(states)
    candidates, _ = pipeline.candidates(queries, NOW_MS)
    together = pipeline.score(queries, candidates)
    for place, span in enumerate(candidates.spans(len(queries))):
        mine = pipeline.hydrate([states[place]])
        alone, _ = pipeline.candidates(mine, NOW_MS)
        np.testing.assert_array_equal(alone.rows, candidates.rows[span])
        np.testing.assert_allclose(pipeline.score(mine, alone).scores, together.scores[span], atol=1e-5)


USERS: list[UserState] = [
    clicks("nobody"),
    clicks("new", 5, 9),
    clicks("known", *range(10, 18)),
    state(
        "buyer", [(3, EventType.PURCHASE), (4, EventType.DISLIKE), (7, EventType.RATING, 4.0), (8, EventType.VIEW)]
    ),
]
