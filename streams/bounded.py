"""Calls that come back in time, whatever the library under them does."""

import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any


class Overdue(Exception):
    """A call has not come back; its thread may be in it for ever."""


class Bounded:
    """Makes calls in a thread of its own, one at a time, which costs some 20 µs each.

    After `Overdue` it is of no use any more: make another. The thread ends with this object, or with the process.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._failures: SimpleQueue[Exception | None] = SimpleQueue()
        # The thread knows the queues only: it must not keep this object alive.
        threading.Thread(target=_serve, args=(self._calls, self._failures), name="bounded", daemon=True).start()
        weakref.finalize(self, self._calls.put, None)

    def __call__(
        self,
        call: Callable[[], Any],
        seconds: float,
        is_doubtful: Callable[[], bool] = lambda: False,
        doubt_seconds: float = 0.0,
    ) -> None:
        """Call, and raise what it raises.

        Args:
            seconds: how long to wait.
            is_doubtful: asked after `doubt_seconds`, whether to wait no longer.

        Raises:
            Overdue: it has not come back in time.
        """
        self._calls.put(call)
        if self._came_back(doubt_seconds):
            return
        if is_doubtful():
            raise Overdue(f"a call has not come back after {doubt_seconds:g} s")
        if not self._came_back(seconds - doubt_seconds):
            raise Overdue(f"a call has not come back after {seconds:g} s")

    def _came_back(self, seconds: float) -> bool:
        try:
            failure = self._failures.get(timeout=seconds)
        except Empty:
            return False
        if failure is not None:
            raise failure
        return True


def _serve(calls: "SimpleQueue[Callable[[], object] | None]", failures: "SimpleQueue[Exception | None]") -> None:
    while (call := calls.get()) is not None:
        try:
            call()
        except Exception as failure:  # raised again where the call was asked for
            failures.put(failure)
        else:
            failures.put(None)
        del call  # a producer that was replaced must not live here until the next call
