"""What is asked of every event: compiled where `per_event_compiled.pyx` was built, in Python elsewhere."""

from zlib import crc32

from streams import clock

__all__ = ["mark_of", "to_ms"]


def mark_in_python(session_id: str) -> int:
    """Return the mark of a session id: 1 to 65,535, equal for equal ids."""
    return (crc32(session_id.encode()) & 0xFFFF) or 1


try:
    from streams.state.per_event_compiled import mark_of, to_ms
except (
    ModuleNotFoundError
):  # there was no C compiler when Headrace was installed; what is there but broken, raises
    mark_of, to_ms = mark_in_python, clock.to_ms
