"""A ranking worker on a small world that tests change by hand."""

from collections.abc import Iterable
from typing import Any, cast

from streams.codec import decode_recommendation, encode_msgpack
from streams.contracts import Output, Recommendation, Record, UserState
from streams.topics import RECOMMENDATIONS, USER_STATE
from tests.ranking import worlds
from tests.ranking.worlds import NOW_MS
from workers.ranking.generation import Generation
from workers.ranking.transform import RankingTransform
from workers.ranking.world import World


class Place:
    """A ranking worker on a world that tests change by hand; no broker."""

    def __init__(self, **ranking: object) -> None:
        self.settings = worlds.settings(**ranking)
        self.catalogue = worlds.catalogue(self.settings)
        self.generation = Generation(worlds.model(0), self.catalogue, self.settings)
        self.vector_offsets = (7, 8)
        self.changed: list[int] = []
        self.announced: int | None = None
        self.now = NOW_MS / 1000
        self.offset = 0
        self.transform = self.start()

    def start(self) -> RankingTransform:
        """Return a worker that knows nothing yet but the world."""
        transform = RankingTransform(
            self.settings, cast(World, self), clock=lambda: self.now, monotonic=lambda: self.now
        )
        transform.assigned([0])
        transform.restored([0])
        return transform

    def follow(self) -> list[int]:
        """Return the rows that changed, as `World.follow` does."""
        changed, self.changed = self.changed, []
        if self.announced is not None:
            old = self.generation
            self.generation = Generation(
                worlds.model(self.announced), self.catalogue, self.settings, before=self.generation
            )
            self.announced = None
            old.close()
        self.generation.refresh(changed)
        return changed

    def settle(self) -> None:
        """Do as `World.settle`: nothing here waits."""

    def put(self, number: int, **changes: object) -> None:
        self.changed.append(self.catalogue.put(worlds.item(number, **changes)))

    def swap(self, seed: int) -> None:
        """Announce another model, which is taken up at the next `follow`."""
        self.announced = seed

    def handle(self, *states: UserState) -> list[Output]:
        batch = []
        for state in states:
            self.offset += 1
            value = encode_msgpack(state)
            record = Record(USER_STATE, 0, self.offset, NOW_MS, state.user_id.encode(), value, ())
            batch.append(self.transform.decode(record))
        return list(self.transform.handle(cast(Any, batch)))

    def kept(self, outputs: Iterable[Output]) -> list[Recommendation]:
        """Let the broker have the batch, and return its slates."""
        found = slates(outputs)
        self.transform.kept({})
        return found

    def tick(self) -> list[Recommendation]:
        return self.kept(self.transform.tick())

    def close(self) -> None:
        self.generation.close()
        if self.generation.texts is not None:
            self.generation.texts.close()


def slates(outputs: Iterable[Output]) -> list[Recommendation]:
    return [
        decode_recommendation(output.value)
        for output in outputs
        if output.topic == RECOMMENDATIONS and output.value is not None
    ]
