"""Items whose `expires_at` has just passed."""

import numpy as np

from workers.ranking.catalogue import Catalogue

_EVERY_MS = 1_000


class Expiries:
    """Tells each expiry once, by the clock of the caller, up to a second late."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._until_ms = 0

    def due(self, now_ms: int) -> list[int]:
        """Return the rows of the items that expired after the last look and not after `now_ms`."""
        if now_ms < self._until_ms + _EVERY_MS:
            return []
        times = self._catalogue.expires_at_ms[: len(self._catalogue)]
        rows = np.flatnonzero((times > self._until_ms) & (times <= now_ms))
        self._until_ms = now_ms
        found: list[int] = rows.tolist()
        return found
