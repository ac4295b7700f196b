"""A few bad records are the producers' affair; mostly bad records are a mistake that an operator must see."""

from collections import deque

from streams.errors import Fatal


class RejectedShare:
    """Watches how many of the last records were rejected.

    Args:
        most: largest share that is still handled, 0 to 1.
        window_records: over how many records at least.
    """

    def __init__(self, most: float, window_records: int) -> None:
        self._most = most
        self._window_records = window_records
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._rejected = 0

    def note(self, records: int, rejected: int) -> None:
        """Count a batch.

        Raises:
            Fatal: too many are bad. Nothing of this batch is written.
        """
        self._batches.append((records, rejected))
        self._records += records
        self._rejected += rejected
        while self._records - self._batches[0][0] >= self._window_records:
            gone = self._batches.popleft()
            self._records -= gone[0]
            self._rejected -= gone[1]
        if self._records >= self._window_records and self._rejected > self._most * self._records:
            raise Fatal(
                f"{self._rejected} of the last {self._records} records cannot be used; "
                "the worker stops instead of draining a topic into its dead letters.",
                "look at the newest dead letters for the reason; set loop.max_rejected_share "
                "(HEADRACE_LOOP__MAX_REJECTED_SHARE) to 1 to let them all pass.",
            )
