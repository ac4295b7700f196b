"""Whether a replay fits the embedded broker, whose full partitions drop their oldest records silently."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from streams.contracts import Event, Item
from streams.embedded import PARTITION_BYTES, PARTITIONS
from streams.errors import DataError, SettingError
from streams.partitioner import owner
from streams.settings import Settings
from streams.settings.variables import variable_of
from streams.topics import CATALOGUE, CLICKSTREAM, RECOMMENDATIONS, USER_STATE, USER_VECTORS

BYTES_AN_EVENT: Mapping[str, int] = {
    CLICKSTREAM: 260,
    USER_STATE: 1_400,
    USER_VECTORS: 420,
    RECOMMENDATIONS: 750,
}
"""Held for each replayed event on each topic, one record a batch. States: 1,090 to 1,230 bytes by partition were
measured on MovieLens-100K's newest 10,000 events with zlib; the others are estimates."""
BYTES_AN_ITEM: Mapping[str, int] = {CATALOGUE: 250, "item.vectors.v1": 1_750}
"""Held for each item: 384 float32 hardly compress."""

_REAL_KAFKA = "--bootstrap-servers HOST:PORT uses a real Kafka, which holds any number"


class Footprint:
    """How large the fullest partition becomes, by the number of events that are replayed."""

    def __init__(self, events: Sequence[Event]) -> None:
        users = [event.user_id for event in events]
        last = {user: place for place, user in enumerate(users)}
        self._partitions = np.array([owner(user.encode(), PARTITIONS) for user in users], np.int64)
        self._last_of_user = np.array([last[user] for user in users], np.int64)

    def bytes(self, newest: int) -> int:
        """Return the estimate for a replay of the `newest` events and the history of their users."""
        cut = max(0, len(self._partitions) - newest)
        replayed = _counts(self._partitions[cut:])
        history = _counts(self._partitions[:cut][self._last_of_user[:cut] >= cut])
        on_others = int(replayed.max()) * max(BYTES_AN_EVENT.values())
        return max(on_others, int((replayed + history).max()) * BYTES_AN_EVENT[CLICKSTREAM])


def check_fit(events: Sequence[Event], newest: int, items: Sequence[Item]) -> None:
    """Return if a replay of the `newest` events fits the embedded broker.

    Raises:
        DataError: it does not; the sentence says how many events do.
    """
    homes = np.array([owner(item.item_id.encode(), PARTITIONS) for item in items], np.int64)
    on_items = int(_counts(homes).max()) * max(BYTES_AN_ITEM.values())
    if on_items > PARTITION_BYTES:
        most = len(items) * PARTITION_BYTES // on_items
        raise DataError(
            f"A catalogue of {len(items):,} items does not fit the embedded broker: about {most:,} do.",
            f"{_REAL_KAFKA}.",
        )
    footprint = Footprint(events)
    if footprint.bytes(newest) <= PARTITION_BYTES:
        return
    most = bisect_right(range(newest), PARTITION_BYTES, key=footprint.bytes) - 1
    raise DataError(
        f"A replay of {newest:,} events does not fit the embedded broker, which keeps "
        f"{PARTITION_BYTES / 1e6:.0f} MB a partition.",
        f"replay at most --events {max(0, most)}, or {_REAL_KAFKA}.",
    )


def check_answers(settings: Settings) -> None:
    """Return if each event of the closed loop gets a slate under its user's own id, so that the user goes on.

    Raises:
        SettingError: it would not.
    """
    unfit = {
        "privacy.pseudonym_key": settings.privacy.pseudonym_key is not None,
        "ranking.publish": settings.ranking.publish == "changed",
    }
    for name, holds in unfit.items():
        if holds:
            raise SettingError(
                f"Setting {name} leaves events of the demo without a slate under their users' own ids, and it "
                "waits for one after each.",
                f"run the demo without {variable_of(name)}.",
            )


def _counts(partitions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.bincount(partitions, minlength=PARTITIONS)
