"""When compaction runs: in a thread of its own, one at a time, for as long as it is due."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock, Thread

from index.memory import give_back

_log = logging.getLogger(__name__)


class Turns:
    """Lets the compactions of several indexes run one at a time, and none before `open`.

    A large one takes a core and a second copy of the vectors for half a minute, and what a process does meanwhile
    on the core beside it takes twice as long.
    """

    def __init__(self, *, opened: bool = True) -> None:
        self._changed = Condition()
        self._opened = opened
        self._taken = False

    def open(self) -> None:
        """Let compactions run from now on."""
        with self._changed:
            self._opened = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Have everyone who waits ask again whether to go on."""
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def turn(self, given_up: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a turn; yields False when `given_up` came to hold first."""
        with self._changed:
            self._changed.wait_for(lambda: given_up() or (self._opened and not self._taken))
            taken = not given_up()
            self._taken |= taken
        try:
            yield taken
        finally:
            if taken:
                with self._changed:
                    self._taken = False
                    self._changed.notify_all()


class Compactor:
    """Runs a function in the background when asked to.

    The thread lives only while there is work. So an index that was replaced is freed with its last reader,
    even if nobody closed it, and a process that ends waits for nothing.
    """

    def __init__(self, compact: Callable[[], None], due: Callable[[], bool], turns: Turns | None = None) -> None:
        """Prepare; no thread is started.

        Args:
            compact: does the work; may raise.
            due: says whether there is work left; cheap, called from any thread.
            turns: shared with other indexes of the process; None waits for nobody.
        """
        self._turns = Turns() if turns is None else turns
        self._compact = compact
        self._due = due
        self._lock = Lock()
        self._thread: Thread | None = None
        self._closed = False

    def request(self) -> None:
        """Start the thread if work is due and it is not running. Never blocks; does nothing after `close`."""
        if not self._due():
            return
        with self._lock:
            if self._closed or self._thread is not None:
                return
            self._thread = Thread(target=self._run, name="index-compaction", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Let a compaction that runs finish, and start no other."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._turns.wake()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._goes_on():
            try:
                with self._turns.turn(lambda: self._closed) as granted:
                    if granted:
                        self._compact()
                        give_back()
            except Exception:
                # The index is as it was and answers right, only slower; the next sealed tier asks again.
                _log.exception("index compaction failed")
                with self._lock:
                    self._thread = None
                return

    def _goes_on(self) -> bool:
        # Decided and said under one lock: a request either sees no thread, or is seen by this one.
        with self._lock:
            if self._due() and not self._closed:
                return True
            self._thread = None
            return False
