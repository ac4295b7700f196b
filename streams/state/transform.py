"""The state worker's transform: clicks and erasures in, `user.state.v1` out, one record a user and batch."""

from collections.abc import Callable, Iterable, Sequence

import structlog

from streams import metrics
from streams.clock import Clock, from_ms, wall_seconds
from streams.contracts import Erasure, Output, Record, Rejected
from streams.errors import BrokerError
from streams.partitioner import astray
from streams.privacy.pseudonyms import pseudonymise
from streams.settings import Settings
from streams.state.batch import Batch, Work
from streams.state.compiled import Usual
from streams.state.feedback import Feedback
from streams.state.intake import Intake, Message
from streams.state.ownership import Homes, passed_on
from streams.state.rules import Rules
from streams.store import MemoryStore, PartitionStore, ends_of
from streams.topics import CLICKSTREAM, ERASURES, REKEYED, USER_STATE
from streams.transform import Changelog, Ends, changelog

_log = structlog.get_logger()


class StateTransform:
    """Folds events into per-user state, and forgets users.

    A record whose key is not its `user_id`, or whose partition is not that key's by murmur2, is passed on once to
    the partition that owns the user (`streams/state/ownership.py`), and folded there.

    Args:
        partitions: of every user-keyed topic.
        store: of the states; None keeps them in memory.
    """

    sources = (CLICKSTREAM, REKEYED, ERASURES)

    def __init__(
        self,
        settings: Settings,
        partitions: int,
        store: PartitionStore | None = None,
        clock: Clock = wall_seconds,
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._store = MemoryStore() if store is None else store
        self._clock = clock
        self._rules = Rules.of(settings.state)
        self._usual = None if Usual is None else Usual(self._rules)
        _log.info("fold", compiled=self._usual is not None)
        self._homes = Homes(partitions)
        self._rename = pseudonymise(settings.privacy)
        # The event or erasure, or why the record holds none. No method of its own: every record would pass it.
        self.decode: Callable[[Record], Message | Rejected] = Intake(settings.state, self._homes).decode

    def handle(self, batch: Iterable[Message]) -> Iterable[Output]:
        """Fold the batch; return the new state of every user that changed, and what belongs elsewhere."""
        feedback = Feedback(self._rules.context_field) if self._settings.state.feedback else None
        users = Batch(self._store, self._rules, feedback, self._usual)
        outputs: list[Output] = []
        # With pseudonyms nobody is met under the key of a record.
        met = users.users if self._rename is None else dict[bytes, Work]()
        for message in batch:
            record, what, arrival = message
            work = met.get(record.key or b"")
            # Most records are one more event of somebody whom the batch has met, in the right place.
            if (
                work is not None
                and work.user_id == what
                and work.partition == record.partition
                and arrival is not None
            ):
                # `users.take`, without the call.
                if not work.arrivals:
                    users.await_more(work)
                work.arrivals.append(arrival)
            elif (stray := self._sorted_in(users, message)) is not None:
                outputs.append(stray)
        outputs += users.outputs()
        metrics.STATES.set(len(self._store))
        return outputs

    def _sorted_in(self, users: Batch, message: Message) -> Output | None:
        """Give the record to its user in the batch, or return it for the owner of another partition."""
        record, what, arrival = message
        partition, user_id = record.partition, what.user_id if isinstance(what, Erasure) else what
        pseudonym = self._rename(user_id) if self._rename is not None and record.topic == CLICKSTREAM else None
        if pseudonym is not None:
            user_id = pseudonym
        key = user_id.encode()
        work = users.users.get(key) or users.known(user_id, key, partition)
        # Whoever has a state here belongs here; murmur2 is asked about the others only.
        home = work.partition if work is not None else self._homes.of(key, partition)
        if home != partition or (record.key != key and pseudonym is None):
            topic = ERASURES if isinstance(what, Erasure) else REKEYED
            return passed_on(record, topic, key, home, pseudonym)
        if work is None:
            work = users.unknown(user_id, key, partition)
        if isinstance(what, Erasure):
            users.erase(work, what, from_ms(int(self._clock() * 1000)))
        elif arrival is not None:
            users.take(work, arrival if pseudonym is None else (pseudonym, *arrival[1:]))
        return None

    def tick(self) -> Iterable[Output]:
        """Return nothing: all that this worker writes is caused by a record."""
        return ()

    def kept(self, ends: Ends) -> None:
        """Keep the states of the batch."""
        self._store.keep(ends_of(USER_STATE, ends))

    def abandoned(self) -> None:
        """Put the states from before the batch back."""
        self._store.undo()

    def assigned(self, partitions: Sequence[int]) -> Sequence[Changelog]:
        """Have the states of these partitions read back."""
        self._store.open(partitions)
        return (changelog(USER_STATE, self._store),)

    def restored(self, partitions: Sequence[int]) -> None:
        """Count the users that are known now.

        Raises:
            BrokerError: some lie elsewhere than their events go to.
        """
        for partition in partitions:
            keys = (key for key, _ in self._store.items(partition))
            if astray(keys, partition, self._partitions):
                raise BrokerError(
                    f"{USER_STATE}-{partition} holds users of other partitions: "
                    "there are more partitions now, and such users would begin from nothing.",
                    "make the topics again with one number of partitions and load the events again.",
                )
        metrics.STATES.set(len(self._store))

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget the states of these partitions."""
        self._store.drop(partitions)
        metrics.STATES.set(len(self._store))

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
