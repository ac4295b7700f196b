"""What people do while the dashboards are watched: they look at their slates, click, and sometimes search.

Somebody also works on the catalogue: texts change, and change back.
"""

import itertools
import random
import threading
from datetime import UTC, datetime

import msgspec

from streams.clock import monotonic_seconds
from streams.contracts import Event, EventType
from streams.settings import Settings
from workers.asking import request_of
from workers.datasets.contract import Dataset
from workers.publisher import Publisher
from workers.slates import Slates

_ASKING = 0.1
"""Requests in words for each act."""
_REGULARS = 40
"""Users who come all the time, so that they answer slates of a few seconds ago."""
_EDITED = 20
"""Items whose texts change."""
_EDITS_RATE = 0.4
"""Changes a second."""


class Traffic:
    """Sends events in a thread of its own until it is closed.

    Attributes:
        rate: events of known users a second.
        strangers_rate: searches a second of people of whom nothing is known.
        users: those who are known.
    """

    def __init__(self, settings: Settings, dataset: Dataset, rate: float = 6.0) -> None:
        self.rate = rate
        self.strangers_rate = 0.2
        self.users = sorted({event.user_id for event in dataset.events})
        self.items = [item.item_id for item in dataset.items]
        self._settings = settings
        self._dataset = dataset
        self._draw = random.Random(0)
        self._number = itertools.count()
        self._edits = itertools.count()
        self._slates = Slates(settings)
        self._publisher = Publisher(settings)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def history(self) -> None:
        """Send the newest events of the data set, so that its users are known."""
        with self._lock:
            for event in self._dataset.events[-1_500:]:
                self._publisher.event(event)
            self._publisher.flush()

    def burst(self) -> None:
        """Let every known user act at once."""
        with self._lock:
            for user in self.users:
                self._publisher.event(self._event(user, EventType.VIEW, self._draw.choice(self.items)))
            self._publisher.flush()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, and raise what went wrong in the thread."""
        self._ended.set()
        self._thread.join()
        self._slates.close()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        owed, strangers, edits, before = 0.0, 0.0, 0.0, monotonic_seconds()
        try:
            while not self._ended.is_set():
                self._slates.read(0.05)
                now = monotonic_seconds()
                owed += (now - before) * self.rate
                strangers += (now - before) * self.strangers_rate
                edits += (now - before) * _EDITS_RATE
                before = now
                with self._lock:
                    while owed >= 1:
                        owed -= 1
                        self._act()
                    while strangers >= 1:
                        strangers -= 1
                        self._publisher.event(
                            self._event(f"stranger-{next(self._number)}", EventType.SEARCH, None)
                        )
                    while edits >= 1:
                        edits -= 1
                        self._edit()
                    self._publisher.poll()
        except BaseException as error:
            self._failed = error

    def _act(self) -> None:
        """Every second user's shop says what was seen, the others' only what was done."""
        user = self._draw.choice(self.users[:_REGULARS])
        if self._draw.random() < _ASKING:
            self._publisher.request(request_of(user, "something new"))
        slate = self._slates.newest.get(user)
        if slate is None or not slate.items or self._draw.random() < 0.3:
            kind = self._draw.choice((EventType.VIEW, EventType.CLICK, EventType.ADD_TO_CART))
            self._publisher.event(self._event(user, kind, self._draw.choice(self.items)))
            return
        taken = self._draw.choice(slate.items).item_id
        if int(user.rpartition("-")[2]) % 2:
            for item in slate.items[:3]:
                self._publisher.event(
                    self._event(user, EventType.IMPRESSION, item.item_id, slate.recommendation_id)
                )
        self._publisher.event(self._event(user, EventType.CLICK, taken, slate.recommendation_id))

    def _edit(self) -> None:
        """Give an item a new text, or its old one back."""
        number = next(self._edits)
        item = self._dataset.items[number % _EDITED]
        if number // _EDITED % 2 == 0:
            text = f"{item.description or item.title} New edition."
            item = msgspec.structs.replace(item, description=text)
        self._publisher.item(item)

    def _event(self, user: str, kind: EventType, item: str | None, recommendation_id: str | None = None) -> Event:
        return Event(
            event_id=f"{user}-live-{next(self._number)}",
            event_type=kind,
            user_id=user,
            item_id=item,
            event_time=datetime.now(UTC),
            query="something new" if kind is EventType.SEARCH else None,
            recommendation_id=recommendation_id,
        )
