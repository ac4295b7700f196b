"""Tells a worker that shares its name with another from one whose producer failed once."""

from confluent_kafka import KafkaError

from streams.clock import monotonic_seconds
from streams.remedies import TWIN, ended

_REPLACEMENTS = 5
_SECONDS = 60.0


class TwinWatch:
    """Counts how often a producer was fenced.

    Two of one name fence each other in every batch until the older one hears, with a heartbeat, that it is no
    member any more; within those seconds this may come first.
    """

    def __init__(self) -> None:
        self._fenced_at: list[float] = []

    def fenced(self, cause: KafkaError) -> None:
        """Take in that a producer has to be replaced.

        Raises:
            Fatal: it keeps happening.
        """
        now = monotonic_seconds()
        self._fenced_at = [at for at in self._fenced_at if now - at < _SECONDS] + [now]
        if len(self._fenced_at) > _REPLACEMENTS:
            raise ended(cause, TWIN)
