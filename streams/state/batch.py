"""One batch of the state worker: the events of each user are gathered, and fold their state together."""

from datetime import datetime

import msgspec

from streams import metrics
from streams.contracts import Erasure, Output
from streams.errors import DataError
from streams.privacy.receipts import ERASURE_HEADER, receipt, receipt_record
from streams.state.arrivals import Arrival
from streams.state.compiled import MOST_WAITING, Usual
from streams.state.draft import Draft, packed, thaw
from streams.state.feedback import Feedback
from streams.state.fold import apply
from streams.state.rules import Rules
from streams.store import PartitionStore
from streams.topics import USER_STATE


class Work(msgspec.Struct, gc=False):
    """A user of the batch.

    Attributes:
        key: the user's id in bytes.
        value: their state as it is stored; None where nothing is known of them (any more).
        arrivals: events that `value` does not hold yet.
        changed: whether `value` is of this batch, and must be written.
    """

    user_id: str
    key: bytes
    partition: int
    value: bytes | None
    arrivals: list[Arrival]
    changed: bool = False


class Batch:
    """Gathers the records of one batch by user, and says what to write.

    Args:
        store: of the owned partitions; `outputs` brings it up to date.
        feedback: takes the accepted events that name an item, or None.
        usual: folds by the same rules; None leaves all to the fold in Python.

    Attributes:
        users: by the bytes of their id, in the order in which the batch met them.
    """

    def __init__(
        self, store: PartitionStore, rules: Rules, feedback: Feedback | None, usual: "Usual | None"
    ) -> None:
        self.users: dict[bytes, Work] = {}
        self._store = store
        self._rules = rules
        self._feedback = feedback
        self._erased: list[Output] = []
        self._repeats = 0
        self._usual = usual
        self._waiting: list[Work] = []

    def known(self, user_id: str, key: bytes, partition: int) -> Work | None:
        """Return a user whom the store knows on this partition, from now on part of the batch."""
        value = self._store.get(partition, key)
        if value is None:
            return None
        work = self.users[key] = Work(user_id, key, partition, value, [])
        return work

    def unknown(self, user_id: str, key: bytes, partition: int) -> Work:
        """Return a user of whom nothing is known, from now on part of the batch."""
        work = self.users[key] = Work(user_id, key, partition, None, [])
        return work

    def take(self, work: Work, arrival: Arrival) -> None:
        """Take an event of a user of the batch."""
        if not work.arrivals:
            self.await_more(work)
        work.arrivals.append(arrival)

    def await_more(self, work: Work) -> None:
        """Note that a user without arrivals is about to get some; fold those of others when many wait."""
        if len(self._waiting) >= MOST_WAITING:
            self._settle()
        self._waiting.append(work)

    def erase(self, work: Work, erasure: Erasure, now: datetime) -> None:
        """Forget the user; what they do from here on starts from nothing."""
        self._fold(work)
        work.value, work.changed = None, True
        headers = ((ERASURE_HEADER, erasure.erasure_id.encode()),)
        message = receipt("state", erasure.erasure_id, work.user_id, [USER_STATE], now)
        self._erased += [
            Output(USER_STATE, work.partition, work.key, None, headers),
            receipt_record(work.partition, message),
        ]
        if self._feedback is not None:
            self._feedback.erased(work.partition, work.key, headers)
        metrics.ERASED.inc()

    def outputs(self) -> list[Output]:
        """Fold and store; return each state that changed, null states before the ones that came after them.

        Raises:
            DataError: a stored state is of another layout, or damaged.
        """
        self._settle()
        outputs = self._erased
        put = self._store.put
        for work in self.users.values():
            if not work.changed:
                continue
            key, partition, value = work.key, work.partition, work.value
            put(partition, key, value)
            if value is not None:
                outputs.append(Output(USER_STATE, partition, key, value))
        if self._feedback is not None:
            outputs += self._feedback.outputs()
        metrics.DUPLICATES.inc(self._repeats)
        return outputs

    def _settle(self) -> None:
        left = self._waiting
        if self._usual is not None:
            repeats, left = self._usual.settle(left, None if self._feedback is None else self._feedback.add)
            self._repeats += repeats
        for work in left:
            self._fold(work)
        self._waiting.clear()

    def _fold(self, work: Work) -> None:
        """Do for one user, with whatever arrivals, what `Usual.settle` does for many."""
        if not work.arrivals:
            return
        value = work.value
        draft = Draft.of_nothing(work.user_id, work.partition) if value is None else _thawed(value, work.partition)
        if not work.changed:
            draft.caused_by.clear()
        if accepted := apply(draft, work.arrivals, self._rules):
            work.value, work.changed = packed(draft), True
            if self._feedback is not None:
                self._feedback.add(self._feedback.actions_of(accepted), work.partition)
        self._repeats += len(work.arrivals) - len(accepted)
        work.arrivals.clear()


def _thawed(value: bytes, partition: int) -> Draft:
    try:
        return thaw(value)
    except msgspec.DecodeError as error:
        raise DataError(
            f"A state in {USER_STATE}-{partition} cannot be read: {error}.",
            f"make states of another version again: delete {USER_STATE} and the state worker's offsets.",
        ) from None
