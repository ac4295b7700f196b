"""How many series a worker exports after it has seen many items, users, models and mistakes.

Each kind of worker is a process of its own, as a registry is one a process: `python -m tests.bench.watching_series
ranking 100000 1000000` prints the number.
"""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, cast

from prometheus_client import REGISTRY

from streams import metrics
from streams.clock import from_ms
from streams.codec import encode_json
from streams.contracts import Event, EventType, Record
from streams.contracts.learning import Evidence
from streams.partitioner import owner
from streams.settings import load_settings
from streams.state.transform import StateTransform
from streams.topics import CLICKSTREAM
from workers.http import Health
from workers.metrics import watch_process

_CHUNK: Final = 10_000
_NOW_MS: Final = 1_700_000_000_000
_SLATES: Final = 2_000
_EVIDENCE: Final[tuple[Evidence, ...]] = ("slate", "impression")


def series_per_worker(items: int, users: int) -> dict[str, int]:
    """Return worker -> number of its series, measured in a process each.

    The state worker folds an event of each of `users`; the ranking worker holds `items` and makes some thousand
    slates; the feedback worker counts a hundred models, a hundred places, every source and every action.
    """
    found = {}
    for name in WORKERS:
        command = [sys.executable, "-m", "tests.bench.watching_series", name, str(items), str(users)]
        found[name] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _state(items: int, users: int) -> None:
    settings = load_settings()
    partitions = settings.topics.partitions
    transform = StateTransform(settings, partitions)
    transform.assigned(range(partitions))
    _owned(transform.sources)
    for start in range(0, users, _CHUNK):
        batch = []
        for number in range(start, min(start + _CHUNK, users)):
            user = f"user-{number}"
            event = Event(
                event_id=f"e{number}",
                event_type=EventType.CLICK,
                user_id=user,
                item_id=f"i{number % items}",
                event_time=from_ms(_NOW_MS) + timedelta(milliseconds=number),
            )
            home = owner(user.encode(), partitions)
            record = Record(CLICKSTREAM, home, number, _NOW_MS, user.encode(), encode_json(event), ())
            batch.append(transform.decode(record))
        for _ in transform.handle(cast(Any, batch)):
            pass
        transform.kept({})
    transform.close()


def _ranking(items: int, users: int) -> None:
    from tests.bench.watching_world import Place  # noqa: PLC0415

    place = Place(items)
    _owned(place.transform.sources)
    try:
        for batch in place.batches(_SLATES // 100, 100):
            place.handle(batch)
        for _ in place.transform.tick():
            pass
    finally:
        place.close()


def _feedback(items: int, users: int) -> None:
    from streams.feedback import metrics as exported  # noqa: PLC0415
    from streams.feedback.examples import Offer  # noqa: PLC0415
    from streams.feedback.join_state import TYPES, Place, new_state  # noqa: PLC0415
    from streams.feedback.joining import Joining  # noqa: PLC0415
    from streams.feedback.step import Outcome, Step  # noqa: PLC0415
    from streams.feedback.tallies import SOURCES, Tallies  # noqa: PLC0415

    settings = load_settings()
    tallies, state = Tallies(settings.feedback.model_versions), new_state("u", 0)
    for model in range(100):
        for position in range(1, 101):
            for source in SOURCES:
                for evidence in _EVIDENCE:
                    place = Place(f"i{position}", position, (source,))
                    offer = Offer(f"m{model}", place, evidence)
                    outcomes = tuple(Outcome(offer, kind) for kind in range(len(TYPES)))
                    tallies.add(Step(state, offers=(offer,), outcomes=outcomes))
        tallies.count()
    for topic in Joining.sources:
        exported.MESSAGES.labels(topic).inc()
        for reason in metrics.REASONS:
            exported.REJECTED.labels(topic, reason).inc()
        for number in range(settings.topics.partitions):
            exported.LAG_RECORDS.labels(topic, str(number)).set(1)
            exported.LAG_SECONDS.labels(topic, str(number)).set(1)


WORKERS: Final[dict[str, Callable[[int, int], None]]] = {
    "state": _state,
    "ranking": _ranking,
    "feedback": _feedback,
}


def _owned(sources: tuple[str, ...]) -> None:
    """Do as a loop that owns every partition of its topics."""
    metrics.expect(sources)
    for topic in sources:
        for number in range(load_settings().topics.partitions):
            for gauge in (metrics.LAG_RECORDS, metrics.LAG_SECONDS, metrics.NEXT_OFFSET):
                gauge.labels(topic, str(number)).set(1)


def main() -> None:
    """Be one worker, and print how many series it exports."""
    name, items, users = sys.argv[1:]
    watch_process(Health())
    WORKERS[name](int(items), int(users))
    sys.stdout.write(str(sum(len(family.samples) for family in REGISTRY.collect())))


if __name__ == "__main__":
    main()
