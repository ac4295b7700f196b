"""The compiled fold of usual events, where it was built: see `streams/state/usual.pyx`."""

__all__ = ["MOST_WAITING", "Usual"]

try:
    from streams.state.usual import Usual
except (
    ModuleNotFoundError
):  # there was no C compiler when Headrace was installed; what is there but broken, raises
    Usual = None  # type: ignore[assignment,misc] # the stub says that it is a class

MOST_WAITING = 600 if Usual is not None else 1_000_000
"""When events of so many users of a batch wait, they are folded.

Compiled, a fold is so cheap that what counts is that the events are still in the processor's cache; in Python it
is that a state is read and written as seldom as can be.
"""
