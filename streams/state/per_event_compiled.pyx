# cython: language_level=3, boundscheck=False, wraparound=False
"""What is asked of every event, compiled: see `streams/state/per_event.py`."""

from cpython.datetime cimport (
    PyDateTime_Check, datetime_day, datetime_hour, datetime_microsecond, datetime_minute, datetime_month,
    datetime_second, datetime_tzinfo, datetime_year, get_utc, import_datetime,
)
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t

from streams import clock

import_datetime()

cdef uint32_t[256] TABLE  # of CRC-32, as zlib has it, by the byte


def to_ms(moment, /):
    """Return what `clock.to_ms` returns, which is asked where the moment is not UTC, or before 1970."""
    if not PyDateTime_Check(moment) or <object>datetime_tzinfo(moment) is not get_utc():
        return clock.to_ms(moment)
    cdef int64_t year = datetime_year(moment), month = datetime_month(moment), days, seconds
    if year < 1970:
        return clock.to_ms(moment)
    # Years that begin in March, so that a leap day is the last: H. Hinnant, "chrono-compatible date algorithms".
    if month <= 2:
        year, month = year - 1, month + 12
    days = 365 * year + year // 4 - year // 100 + year // 400 - 719_468
    days += (153 * (month - 3) + 2) // 5 + datetime_day(moment) - 1
    seconds = days * 86_400 + datetime_hour(moment) * 3_600 + datetime_minute(moment) * 60 + datetime_second(moment)
    return seconds * 1_000 + datetime_microsecond(moment) // 1_000


def mark_of(str session_id, /):
    """Return what `per_event.mark_in_python` returns."""
    cdef Py_ssize_t size = 0, place
    cdef const uint8_t* text = <const uint8_t*>PyUnicode_AsUTF8AndSize(session_id, &size)
    cdef uint32_t found = 0xFFFFFFFF
    for place in range(size):
        found = TABLE[(found ^ text[place]) & 0xFF] ^ found >> 8
    return (found ^ 0xFFFFFFFF) & 0xFFFF or 1


cdef void fill_table() noexcept:
    cdef uint32_t byte, found
    for byte in range(256):
        found = byte
        for _ in range(8):
            found = found >> 1 ^ (0xEDB88320 if found & 1 else 0)
        TABLE[byte] = found


fill_table()
