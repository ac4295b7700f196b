"""When compaction runs: in a thread of its own, one at a time, for as long as it is due."""

import logging
from collections.abc import Callable
from threading import Lock, Thread

_log = logging.getLogger(__name__)


class Compactor:
    """Runs a function in the background when asked to.

    The thread lives only while there is work. So an index that was replaced is freed with its last reader,
    even if nobody closed it, and a process that ends waits for nothing.
    """

    def __init__(self, compact: Callable[[], None], due: Callable[[], bool]) -> None:
        """Prepare; no thread is started.

        Args:
            compact: does the work; may raise.
            due: says whether there is work left; cheap, called from any thread.
        """
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
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._goes_on():
            try:
                self._compact()
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
