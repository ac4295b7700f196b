# cython: language_level=3
"""Columns of ids over plain memory: what `columns._crowd` and `columns._forget` do."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memmove

from streams.state.packing cimport Column, Span, append


cdef inline Py_ssize_t id_size(const uint8_t* at, Py_ssize_t size) noexcept:
    """Return how many bytes the first id takes with its end; more than there are where it has none."""
    cdef const uint8_t* end = <const uint8_t*>memchr(at, 0xFF, size) if size > 0 else NULL
    return end - at + 1 if end != NULL else max(size, 0) + 1


cdef inline bint holds_item(Column items, Span item) noexcept:
    cdef Py_ssize_t at = 0, size
    while at < items.size:
        size = id_size(items.at + at, items.size - at)
        if size == item.size + 1 and memcmp(items.at + at, item.at, item.size) == 0:
            return True
        at += size
    return False


cdef inline int64_t crowd(Column* seen, int64_t entries, Span fallen, int64_t most, int64_t most_bytes) except -2:
    """Add ids to the seen ones and forget whenever they are too many; return how many there are, -1 for no ids.

    Args:
        seen: `entries` ids, in room for the other ones too.
        fallen: ids, each with its end.
    """
    cdef Py_ssize_t at = 0, size
    while at < fallen.size:
        size = id_size(fallen.at + at, fallen.size - at)
        append(seen, fallen.at + at, size)
        entries += 1
        at += size
        if entries > most or seen.size > most_bytes:
            entries = forget(seen, entries, most * 3 // 4, most_bytes * 3 // 4)
            if entries < 0:
                return -1
    return entries


cdef inline int64_t forget(Column* seen, int64_t entries, int64_t most, int64_t most_bytes) except -2:
    """Leave each id once, the newest within the limits; return how many these are, -1 if there were not `entries`."""
    if not 0 < entries <= seen.size:
        return -1
    cdef Py_ssize_t slots = 4
    while slots < 2 * entries:
        slots *= 2
    cdef int64_t* begins = <int64_t*>PyMem_Malloc((entries + 1 + slots) * sizeof(int64_t))
    if begins == NULL:
        raise MemoryError
    try:
        return kept(seen, entries, most, most_bytes, begins, begins + entries + 1, slots)
    finally:
        PyMem_Free(begins)


cdef inline int64_t kept(
    Column* seen, int64_t entries, int64_t most, int64_t most_bytes, int64_t* begins, int64_t* table, Py_ssize_t slots
) noexcept:
    cdef int64_t number, other, left = 0, left_bytes = 0, first_left = entries
    cdef Py_ssize_t at = 0, size, slot
    for number in range(entries):
        begins[number] = at
        at += id_size(seen.at + at, seen.size - at)
    if at != seen.size:
        return -1
    begins[entries] = at
    for slot in range(slots):
        table[slot] = -1
    for number in range(entries - 1, -1, -1):
        size = begins[number + 1] - begins[number]
        slot = hash_of(seen.at + begins[number], size) & (slots - 1)
        while (other := table[slot]) >= 0:
            if begins[other + 1] - begins[other] == size and memcmp(
                seen.at + begins[other], seen.at + begins[number], size
            ) == 0:
                break
            slot = (slot + 1) & (slots - 1)
        if other >= 0:
            continue
        if left == most or left_bytes + size > most_bytes:
            break
        table[slot] = number
        left += 1
        left_bytes += size
        first_left = number
    # What is in the table stays.
    at = 0
    for number in range(first_left, entries):
        size = begins[number + 1] - begins[number]
        slot = hash_of(seen.at + begins[number], size) & (slots - 1)
        while (other := table[slot]) >= 0 and other != number:
            slot = (slot + 1) & (slots - 1)
        if other == number:
            memmove(seen.at + at, seen.at + begins[number], size)
            at += size
    seen.size = at
    return left


cdef inline uint64_t hash_of(const uint8_t* at, Py_ssize_t size) noexcept:
    """Return FNV-1a."""
    cdef uint64_t found = 14695981039346656037ULL
    cdef Py_ssize_t place
    for place in range(size):
        found = (found ^ at[place]) * 1099511628211ULL
    return found
