# cython: language_level=3
"""The bytes of a `UserState`, taken apart where they lie."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t

from streams.state.packing cimport Reader, Span, read_bytes, read_integer, read_list, skip_text

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define HEADRACE_PREFETCH(at) __builtin_prefetch(at)
    #else
    #define HEADRACE_PREFETCH(at)
    #endif
    """
    void prefetch "HEADRACE_PREFETCH"(const void* at) noexcept

cdef enum:
    FIELDS = 22  # of a `UserState`
    HASH = 6  # `HASH_BYTES`
    ROW = 9  # `ROW.size`
    RATING = 8  # `RATING.size`
    END = 0xFF
    CACHED = 1024  # of a state: most are smaller
    CACHE_LINE = 64


cdef struct State:  # `head`, `query`, `partition` and `context` are passed on as they are
    Span head, items, rows, ratings, seen, recent, query, causes, partition, context
    int64_t seen_entries, event_count, newest_ms, second_ms, sessions, mark
    int64_t[2] applied
    Py_ssize_t cause_count


cdef inline bint read_state(State* state, bytes value) noexcept:
    """Return whether the bytes have the layout of a state."""
    cdef Reader reader = Reader(<const uint8_t*>PyBytes_AS_STRING(value), NULL, False)
    cdef Py_ssize_t number
    reader.end = reader.at + PyBytes_GET_SIZE(value)
    state.head.at = reader.at
    if read_list(&reader) != FIELDS:
        return False
    read_integer(&reader)
    skip_text(&reader)
    state.head.size = reader.at - state.head.at
    state.items = read_bytes(&reader)
    state.rows = read_bytes(&reader)
    state.ratings = read_bytes(&reader)
    state.seen = read_bytes(&reader)
    state.seen_entries = read_integer(&reader)
    state.recent = read_bytes(&reader)
    state.event_count = read_integer(&reader)
    state.newest_ms = read_integer(&reader)
    state.second_ms = read_integer(&reader)
    state.sessions = read_integer(&reader)
    state.mark = read_integer(&reader)
    state.query.at = reader.at
    skip_text(&reader)
    read_integer(&reader)
    state.query.size = reader.at - state.query.at
    state.cause_count = read_list(&reader)
    state.causes.at = reader.at
    for number in range(state.cause_count):
        skip_text(&reader)
    state.causes.size = reader.at - state.causes.at
    state.partition.at = reader.at
    read_integer(&reader)
    state.partition.size = reader.at - state.partition.at
    read_integer(&reader)
    read_integer(&reader)
    if read_list(&reader) != 2:
        return False
    state.applied[0] = read_integer(&reader)
    state.applied[1] = read_integer(&reader)
    state.context.at = reader.at
    skip_text(&reader)
    read_integer(&reader)
    state.context.size = reader.at - state.context.at
    return not (reader.broken or reader.at != reader.end or state.rows.size % ROW or state.recent.size % HASH)


cdef inline void expect(bytes value) noexcept:
    """Have the processor fetch a state that is read soon: of many users, most lie in no cache."""
    cdef Py_ssize_t at
    for at in range(0, CACHED, CACHE_LINE):
        prefetch(PyBytes_AS_STRING(value) + at)
