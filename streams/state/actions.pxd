# cython: language_level=3
"""An `Arrival` in C: where its fields stand, and the bytes that the feedback app is told of it."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint8_t

from streams.state.packing cimport Span, write_double, write_integer, write_list_head, write_nil, write_text

cdef enum:
    USER_ID = 0
    CODE = 1
    ITEM_ID = 2
    TIME_MS = 3
    RATING_VALUE = 4
    RECOMMENDATION_ID = 5
    TOPIC = 6
    OFFSET = 7
    CREATE_TIME_MS = 8
    CONTEXT = 9
    EVENT_ID = 10
    MARK = 11

cdef enum:
    ACTION_BYTES = 8192
    NUMBERS_BYTES = 128  # what of it a `UserAction` takes beside its texts, at most


cdef inline Span text_of(str text):
    """Return UTF-8 that lives as long as the text."""
    cdef Py_ssize_t size = 0
    cdef const char* at = PyUnicode_AsUTF8AndSize(text, &size)
    return Span(<const uint8_t*>at, size)


cdef inline bytes action_of(tuple event, bint by_context):
    """Return the `UserAction` of an event that names an item, or None where it would be too long.

    Args:
        by_context: whether it ends with the event's context, which is None.
    """
    cdef Span user = text_of(event[USER_ID]), item = text_of(event[ITEM_ID]), slate = Span(NULL, 0)
    cdef uint8_t[ACTION_BYTES] room
    if event[RECOMMENDATION_ID] is not None:
        slate = text_of(event[RECOMMENDATION_ID])
    if user.size + item.size + slate.size > ACTION_BYTES - NUMBERS_BYTES:
        return None
    cdef uint8_t* at = write_list_head(room, CONTEXT + by_context)
    at = write_text(write_integer(write_text(at, user), event[CODE]), item)
    at = write_integer(at, event[TIME_MS])
    at = write_nil(at) if event[RATING_VALUE] is None else write_double(at, event[RATING_VALUE])
    at = write_nil(at) if event[RECOMMENDATION_ID] is None else write_text(at, slate)
    at = write_integer(write_integer(write_integer(at, event[TOPIC]), event[OFFSET]), event[CREATE_TIME_MS])
    if by_context:
        at = write_nil(at)
    return PyBytes_FromStringAndSize(<char*>room, at - room)
