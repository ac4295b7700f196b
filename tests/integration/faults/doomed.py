"""A state worker that dies by SIGKILL at a place that is named to it: `python -m …faults.doomed PLACE`.

Only where it dies is patched in; everything before that is what production runs.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from streams.restore import Restore
from streams.transactions import TransactionalDelivery
from workers.cli import main

_BATCHES = 5
"""Batches that go through before the fatal one."""


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _after(count: int, then: Callable[..., None], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, followed by `then` from the call number `count` on."""
    calls = 0

    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        result = function(*arguments, **named)
        if calls > count:
            then(*arguments)
        return result

    return called


def doom(place: str) -> None:
    """Let this process die when it comes to `place`."""
    match place:
        case "written":  # outputs are on the broker, offsets are not
            TransactionalDelivery.write = _after(  # type: ignore[method-assign]
                _BATCHES, _flush_and_die, TransactionalDelivery.write
            )
        case "first":  # outputs of the very first batch are on the broker
            TransactionalDelivery.write = _after(  # type: ignore[method-assign]
                0, _flush_and_die, TransactionalDelivery.write
            )
        case "offsets":  # outputs and offsets are in an open transaction
            TransactionalDelivery._send = _after(  # type: ignore[method-assign]
                _BATCHES, _die, TransactionalDelivery._send
            )
        case "committed":  # the batch is in the log, memory has not heard of it
            TransactionalDelivery.commit = _after(  # type: ignore[method-assign]
                _BATCHES, _die, TransactionalDelivery.commit
            )
        case "restoring":
            Restore._load = _after(20, _die, Restore._load)  # type: ignore[method-assign]
        case _:
            raise SystemExit(f"no such place: {place}")


def _flush_and_die(delivery: TransactionalDelivery, *_: Any) -> None:
    delivery._producer.flush(5)
    _die()


if __name__ == "__main__":
    doom(sys.argv[1])
    sys.argv = ["headrace", "worker", "state"]
    main()
