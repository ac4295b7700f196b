"""A few bad records are the producers' affair; mostly bad records are a mistake that an operator must see."""

from collections import deque

from streams.contracts import Rejected
from streams.errors import Fatal

_NOTHING_BUT = 100


class RejectedShare:
    """Watches how many of the last records were rejected.

    It counts anew after a start. Where nothing but bad records came since, a hundred are enough: a worker that is
    started again and again would else let a window of them pass each time.

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

    def note(self, records: int, rejected: int, newest: Rejected | None = None) -> None:
        """Count a batch.

        Args:
            newest: of the rejected ones, for the sentence: what it holds is in no dead letter yet.

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
        enough = self._window_records
        if self._rejected == self._records:
            enough = min(enough, _NOTHING_BUT)
        if self._records >= enough and self._rejected > self._most * self._records:
            raise Fatal(
                f"{self._rejected} of the last {self._records} records cannot be used{_such_as(newest)}; "
                "the worker stops instead of draining a topic into its dead letters.",
                "mend what is produced, or move the group's offsets past it; set loop.max_rejected_share "
                "(HEADRACE_LOOP__MAX_REJECTED_SHARE) to 1 to let them all pass.",
            )


def _such_as(rejected: Rejected | None) -> str:
    if rejected is None:
        return ""
    record = rejected.record
    return f", such as {record.topic}/{record.partition}/{record.offset} ({rejected.reason}: {rejected.detail})"
