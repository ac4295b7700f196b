"""Loads the catalogue and waits until every item has its vector."""

from collections.abc import Callable, Sequence

from streams.clock import monotonic_seconds
from streams.contracts import Item
from streams.errors import Fatal
from streams.reading import WholeTopic
from streams.settings import Settings
from streams.topics import item_vectors
from workers.publisher import Publisher

_STALLED_SECONDS = 300.0
"""No new vector for so long: longer than the download of a large model takes."""


def load_catalogue(
    settings: Settings,
    publisher: Publisher,
    items: Sequence[Item],
    encoder_id: str,
    advance: Callable[[int], None],
) -> None:
    """Produce `items`, then read the vector topic until all of them are on it.

    `advance` takes the number of items that have a vector; it may raise to end the wait.

    Raises:
        Fatal: no new vector came for five minutes.
    """
    for item in items:
        publisher.item(item)
    publisher.flush()
    missing = {item.item_id.encode() for item in items}
    vectors = WholeTopic(settings, item_vectors(encoder_id), lambda _, key, __: missing.discard(key))
    progress_at, before = monotonic_seconds(), len(missing)
    try:
        while missing:
            vectors.poll(wait_seconds=0.2)
            advance(len(items) - len(missing))
            if len(missing) < before:
                progress_at, before = monotonic_seconds(), len(missing)
            elif monotonic_seconds() - progress_at > _STALLED_SECONDS:
                raise Fatal(
                    f"{len(missing)} of {len(items)} items have no vector, and none came for five minutes.",
                    "read the embedding worker's log, and the dead letters of the catalogue.",
                )
    finally:
        vectors.close()
