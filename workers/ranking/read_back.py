"""Slates that are read back at a start: looked up by the thousand, which takes a third of the time."""

import structlog

from streams.codec import UNREADABLE, decode_standing_slate
from streams.topics import RECOMMENDATIONS
from workers.ranking.publishing import Publishing, Standing
from workers.ranking.waiting import Place, Waiting
from workers.ranking.world import World

_log = structlog.get_logger()
_SLATES_A_TURN = 1_000


class ReadBack:
    """Gathers published slates in their order and notes them as standing.

    Args:
        waiting: told of slates that lack something.
    """

    def __init__(self, world: World, publishing: Publishing, waiting: Waiting) -> None:
        self._world = world
        self._publishing = publishing
        self._waiting = waiting
        self._told: list[Standing] = []
        self._unreadable: set[Place] = set()

    def load(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Take a record of the recommendation topic; in the place of what is no slate one is made again."""
        place = (partition, key)
        self._unreadable.discard(place)
        try:
            slate = None if value is None else decode_standing_slate(value)
        except UNREADABLE as error:  # others may write to a public topic
            _log.warning("no slate", topic=RECOMMENDATIONS, partition=partition, error=str(error))
            slate = None
            self._unreadable.add(place)
        self._told.append((place, slate))
        if len(self._told) >= _SLATES_A_TURN:
            self.flush()

    def flush(self) -> None:
        """Note what was gathered."""
        told, self._told = self._told, []
        unreadable, self._unreadable = self._unreadable, set()
        for place, _ in told:
            self._waiting.take(place)  # what waits is the newest slate only
        generation = self._world.generation
        lacks = {} if generation is None else dict(self._publishing.stand(told, generation.model.version))
        self._waiting.lost_an_item(place for place, lack in lacks.items() if lack == "item" or place in unreadable)
        self._waiting.older_model(place for place, lack in lacks.items() if lack == "model")

    def drop(self, partitions: frozenset[int]) -> None:
        """Forget what was gathered of these partitions."""
        self._told = [each for each in self._told if each[0][0] not in partitions]
        self._unreadable = {place for place in self._unreadable if place[0] not in partitions}
