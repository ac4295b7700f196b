"""A running service as its users have it."""

import time
from collections.abc import Callable
from functools import partial

from streams.contracts import Event, Recommendation
from streams.settings import Settings
from workers.datasets.contract import Dataset
from workers.demo.processes import Processes
from workers.publisher import Publisher
from workers.slates import Slates

SECONDS = 120.0


class Service:
    """The running workers, and what a user of them has: a producer and a consumer."""

    def __init__(self, settings: Settings, processes: Processes, dataset: Dataset) -> None:
        self.settings = settings
        self.processes = processes
        self.dataset = dataset
        self.publisher = Publisher(settings)
        self.slates = Slates(settings)

    def until(self, holds: Callable[[], bool]) -> None:
        """Read slates until `holds`."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            self.slates.read(0.05)
            self.processes.check()
            assert time.monotonic() < deadline, "the slates did not come"

    def newest(self, user_id: str) -> Recommendation | None:
        return self.slates.newest.get(user_id)

    def items_of(self, user_id: str) -> list[str]:
        slate = self.newest(user_id)
        return [] if slate is None else [item.item_id for item in slate.items]

    def send(self, events: list[Event]) -> None:
        """Send events and wait until the newest slate of each user answers their last one."""
        last: dict[str, tuple[int, int]] = {}

        def note(user: str, partition: int, offset: int, _: int) -> None:
            last[user] = (partition, offset)

        for event in events:
            self.publisher.event(event, partial(note, event.user_id))
        self.publisher.flush()

        def answered() -> bool:
            found = {user: self.newest(user) for user in last}
            return all(
                slate is not None and (slate.source.partition, slate.source.offset) >= last[user]
                for user, slate in found.items()
            )

        self.until(answered)
