"""What `streams/state/usual.pyx` compiles, where it was built: the fold of usual events, and `clock.to_ms`."""

__all__ = ["MOST_WAITING", "Usual", "to_ms"]

try:
    from streams.state.usual import Usual, to_ms
except (
    ModuleNotFoundError
):  # there was no C compiler when Headrace was installed; what is there but broken, raises
    from streams.clock import to_ms

    Usual = None  # type: ignore[assignment,misc] # the stub says that it is a class

MOST_WAITING = 600 if Usual is not None else 1_000_000
"""When events of so many users of a batch wait, they are folded.

Compiled, a fold is so cheap that what counts is that the events are still in the processor's cache; in Python it
is that a state is read and written as seldom as can be.
"""
