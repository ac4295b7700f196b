"""Two writers of transactions that take turns, so that no batch waits for the end of the one before.

After a commit is decided the broker writes its markers, partition by partition, and takes nothing more from the
same transactional id meanwhile: the next batch meets `CONCURRENT_TRANSACTIONS`, for which librdkafka 2.16 waits
20 ms when partitions are registered, whatever the settings say. The other id's transaction begins at once.

What one id promises holds for two:

- a batch begins when the commit of the last is decided, and when nothing else of either is open or unsettled
  (`TransactionalDelivery.prepare`): batches never overlap;
- readers of a partition see them in that order: a transaction hides everything behind its first record until its
  marker is written;
- of several offsets of one partition the group keeps the one that stands last in its log, in whatever order the
  markers come;
- both commit under the worker's one identity, and whoever takes its partitions over ends both
  (`streams/fencing.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import TopicPartition

from streams.contracts import Output
from streams.transactions import TransactionalDelivery
from streams.transform import Ends

_SECOND = "#2"
"""No host's or pod's name has this sign."""


def transactional_ids(identity: str) -> tuple[str, str]:
    """Return the ids of a worker's two writers."""
    return identity, identity + _SECOND


class AlternatingDelivery:
    """Gives each batch to the delivery that did not have the last one.

    Args:
        make: returns the delivery of a transactional id. Each is made in a thread of its own, while the worker
            goes on to join its group; whoever needs them first waits.
        identity: the worker's.
    """

    def __init__(self, make: Callable[[str], TransactionalDelivery], identity: str) -> None:
        ids = transactional_ids(identity)
        threads = ThreadPoolExecutor(len(ids))
        self._made = [threads.submit(make, each) for each in ids]
        threads.shutdown(wait=False)
        self._turn = 1
        self._absences = [0, 0]

    @property
    def ends(self) -> Ends:
        """Where the records of the last committed batch end."""
        return self._open.ends

    @property
    def _both(self) -> Sequence[TransactionalDelivery]:
        """Both.

        Raises:
            Transient: the broker starts no transaction in time.
            Fatal: it refuses transactions.
        """
        return [made.result() for made in self._made]

    @property
    def _open(self) -> TransactionalDelivery:
        return self._both[self._turn]

    def ready(self) -> None:
        """Wait until both are made; raises what has kept one from it."""
        for each in self._both:
            each.ready()

    def begin(self) -> None:
        """Open a batch in the other delivery."""
        self._take_turns()
        self._open.begin()

    def write(self, outputs: Iterable[Output]) -> None:
        """Queue and send the records of the open batch."""
        self._open.write(outputs)

    def wait(self) -> None:
        """Do nothing: the commit waits for the records."""

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Send the offsets and commit the open batch."""
        self._open.commit(offsets)

    def claim(self, offsets: Sequence[TopicPartition]) -> None:
        """Commit those of others as they stand, in the other delivery."""
        self._take_turns()
        self._open.claim(offsets)

    def settle(self) -> None:
        """Make void what earlier transactions of either have left pending."""
        self._prepare()
        for each in self._both:
            each.settle()

    def _take_turns(self) -> None:
        self._turn = 1 - self._turn
        self._prepare()

    def _prepare(self) -> None:
        """Get both ready; a producer whose fellow has seen the broker go away may be as lost, and is replaced."""
        absences = [each.absences for each in self._both]
        for each, now, before in zip(self._both, absences, self._absences, strict=True):
            if absences != self._absences and now == before:
                each.doubt()
        self._absences = absences
        for each in self._both:
            each.prepare()
