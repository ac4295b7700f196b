# cython: language_level=3
"""Moments in C. Whoever uses this calls `import_datetime` first."""

from cpython.datetime cimport (
    PyDateTime_Check, datetime_day, datetime_hour, datetime_microsecond, datetime_minute, datetime_month,
    datetime_second, datetime_tzinfo, datetime_year, get_utc, import_datetime,
)
from libc.stdint cimport int64_t


cdef inline int64_t utc_ms(object moment):
    """Return milliseconds since the epoch, rounded down; -1 where it is not UTC, before 1970, or no moment."""
    if not PyDateTime_Check(moment) or <object>datetime_tzinfo(moment) is not get_utc():
        return -1
    cdef int64_t year = datetime_year(moment), month = datetime_month(moment), days, seconds
    if year < 1970:
        return -1
    # Years that begin in March, so that a leap day is the last: H. Hinnant, "chrono-compatible date algorithms".
    if month <= 2:
        year, month = year - 1, month + 12
    days = 365 * year + year // 4 - year // 100 + year // 400 - 719_468
    days += (153 * (month - 3) + 2) // 5 + datetime_day(moment) - 1
    seconds = days * 86_400 + datetime_hour(moment) * 3_600 + datetime_minute(moment) * 60 + datetime_second(moment)
    return seconds * 1_000 + datetime_microsecond(moment) // 1_000
