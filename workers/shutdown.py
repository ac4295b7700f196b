"""How a process is asked to end: SIGTERM, Ctrl-C, or the end of standard input."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import BinaryIO

from streams.clock import sleep_seconds
from streams.errors import SettingError

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ORPHAN_SECONDS = 10.0
"""A process whose owner is gone ends by then, whatever it is doing."""


class Stop:
    """A request to end, made once and never taken back. Any thread may make it or wait for it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether the process should finish what it is doing and leave."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask; asking again changes nothing."""
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Return whether the request came, after at most `seconds` (None: as long as it takes)."""
        return self._event.wait(seconds)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Yield a `Stop` that the first SIGTERM or SIGINT requests; a second one ends the process at once.

    The handlers that were there before come back at the end. Call it from the main thread.
    """
    stop = Stop()
    received = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if received:
            os._exit(128 + number)
        received = True
        # Event.set() takes a lock that the interrupted main thread may hold in wait(): another thread asks.
        threading.Thread(target=stop.request, name="stop", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def standard_input() -> BinaryIO:
    """Return standard input.

    Raises:
        SettingError: it is closed, and its end says nothing of an owner.
    """
    if sys.stdin is None:
        raise SettingError(
            "--stop-at-eof waits for the end of standard input, which is closed.",
            "leave the option out, or keep a pipe open.",
        )
    return sys.stdin.buffer


def stop_at_end_of(stream: BinaryIO, stop: Stop, orphan_seconds: float = ORPHAN_SECONDS) -> None:
    """Request `stop` when `stream` ends, which is when the process that holds its other end is gone.

    Works where a parent is killed with SIGKILL and on every system, unlike PR_SET_PDEATHSIG.
    """

    def watch() -> None:
        # Below the buffer: its lock, held by a thread that waits, aborts Python when it exits.
        while os.read(stream.fileno(), 4096):
            pass
        stop.request()
        sleep_seconds(orphan_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="owner", daemon=True).start()
