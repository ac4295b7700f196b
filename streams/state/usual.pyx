# cython: language_level=3, boundscheck=False, wraparound=False
"""The fold of usual events, compiled: from the bytes of a state to the bytes of the next, no objects between.

`Usual.fold` does what `thaw`, `apply` and `packed` do, to the byte, or returns None for what is not usual: that is
left to them. So `streams/state/fold.py` alone says what the fold is, and all works where this was not built.

Usual is a state of today's layout; events of any type but `search`, none older than the one before it; decisions on
items that the history does not hold; a history within its limit of bytes, and nothing of it behind the horizon.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from streams.state.forgetting cimport crowd, holds_item, id_size
from streams.state.state_layout cimport END, FIELDS, HASH, RATING, ROW, State, expect, read_state
from streams.state.packing cimport (
    Column, Reader, Span, append, append_byte, append_double, append_number, cut, grown, skip_text, time_of, write,
    write_bytes, write_integer, write_list_head, write_text, write_two,
)
from streams.state.actions cimport (
    CODE, CONTEXT, CREATE_TIME_MS, EVENT_ID, ITEM_ID, MARK, OFFSET, RATING_VALUE, TIME_MS, TOPIC, action_of, text_of,
)

from xxhash import xxh3_64_digest as digest_of

from streams.contracts import EventType, UserState, users
from streams.contracts.events import DECISIONS
from streams.state import arrivals
from streams.state.draft import Draft, packed
from streams.state.fold import CAUSES

cdef enum:
    NUMBER = 9  # most bytes of an integer, or before a text, bytes or list
    AHEAD = 4  # so many users before its turn a state is fetched

cdef int64_t RATED = EventType.RATING.code
cdef int64_t SHOWN = EventType.IMPRESSION.code
cdef int64_t SEARCHED = EventType.SEARCH.code
cdef uint64_t DECIDED = sum(1 << kind.code for kind in DECISIONS)
cdef Py_ssize_t MOST_CAUSES = CAUSES


if (FIELDS, HASH, ROW, RATING, bytes([END])) != (
    len(UserState.__struct_fields__), users.HASH_BYTES, users.ROW.size, users.RATING.size, users.END
) or (ITEM_ID, TIME_MS, TOPIC, CREATE_TIME_MS, CONTEXT, EVENT_ID) != (
    arrivals.ITEM_ID, arrivals.TIME_MS, arrivals.TOPIC, arrivals.CREATE_TIME_MS, arrivals.CONTEXT, arrivals.EVENT_ID
):
    raise ImportError("streams.state.usual was compiled for another layout: install Headrace again")


cdef class Usual:
    """Folds by one set of rules, in one thread.

    Args:
        rules: a `Rules`.
    """

    cdef int64_t history_length, horizon_ms, seen_length, recent_bytes, id_bytes, gap_ms, jump_ms
    cdef uint8_t* memory
    cdef Py_ssize_t room
    cdef bint by_context

    def __init__(self, rules):
        self.history_length = rules.history_length
        self.horizon_ms = -1 if rules.horizon_ms is None else rules.horizon_ms
        self.seen_length = rules.seen_length
        self.recent_bytes = rules.recent_bytes
        self.id_bytes = rules.id_bytes
        self.gap_ms = rules.session_gap_ms
        self.jump_ms = rules.forward_jump_ms
        self.by_context = bool(rules.context_field)

    def __dealloc__(self):
        PyMem_Free(self.memory)

    def settle(self, list waiting, tell):
        """Fold the arrivals of users into their states; return how many were repeats, and whoever is not usual.

        Args:
            waiting: each a `Work`; those that are usual have no arrivals afterwards.
            tell: `Feedback.add`, or None where nobody is told.
        """
        cdef Py_ssize_t count = len(waiting), number, repeats = 0
        cdef list arrivals, left = []
        cdef tuple found
        for number in range(count):
            if number + AHEAD < count:
                value = waiting[number + AHEAD].value
                if value is not None:
                    expect(value)
            work = waiting[number]
            arrivals = work.arrivals
            if not arrivals:
                continue
            value = work.value
            if value is None:
                value = packed(Draft.of_nothing(work.user_id, work.partition))
            found = self.fold(value, arrivals, work.changed, tell is not None)
            if found is None:
                left.append(work)
                continue
            value, accepted, told = found
            if accepted:
                work.value, work.changed = value, True
                if told:
                    tell(told, work.partition)
            repeats += len(arrivals) - <Py_ssize_t>accepted
            arrivals.clear()
        return repeats, left

    cpdef tuple fold(self, bytes value, list arrivals, bint goes_on, bint tells):
        """Return the bytes of the next state, how many arrivals were no repeats, and what the feedback app is told.

        Or None for what is not usual.

        Args:
            value: of a `user.state.v1` record; returned itself where all are repeats.
            arrivals: each an `Arrival`, in order of arrival.
            goes_on: whether the events add to the causes of `value`; otherwise these are let go.
            tells: whether the feedback app is told; the list is empty otherwise.
        """
        cdef State old
        if not read_state(&old, value):
            return None
        cdef Py_ssize_t more = 0, number, size, fall, rated = 0
        for arrival in arrivals:
            more += ROW + RATING + HASH + NUMBER + text_of((<tuple>arrival)[EVENT_ID]).size
            if (<tuple>arrival)[ITEM_ID] is not None:
                more += text_of((<tuple>arrival)[ITEM_ID]).size + 1
        size = PyBytes_GET_SIZE(value) + more
        self.make_room(6 * size + FIELDS * NUMBER)
        cdef Column items = grown(self.memory, old.items)
        cdef Column rows = grown(self.memory + size, old.rows)
        cdef Column ratings = grown(self.memory + 2 * size, old.ratings)
        cdef Column recent = grown(self.memory + 3 * size, old.recent)

        cdef list accepted = [], told = []
        cdef bytes digest, action
        cdef Span event_id, item
        cdef int64_t code, time_ms, topic = 0, offset, mark
        for each in arrivals:
            event = <tuple>each
            code, time_ms, topic, offset, mark = event[CODE], event[TIME_MS], event[TOPIC], event[OFFSET], event[MARK]
            if not 0 <= topic < 2:
                return None
            if offset <= old.applied[topic]:
                continue
            event_id = text_of(event[EVENT_ID])
            digest = digest_of(PyBytes_FromStringAndSize(<char*>event_id.at, event_id.size))
            if holds_hash(recent, PyBytes_AS_STRING(digest), self.recent_bytes):
                continue
            if code == SEARCHED or time_ms < old.newest_ms or time_ms < 0 or event[CONTEXT] is not None:
                return None
            append(&recent, PyBytes_AS_STRING(digest), HASH)
            old.applied[topic] = offset
            accepted.append(event)
            if tells and event[ITEM_ID] is not None:
                action = action_of(event, self.by_context)
                if action is None:
                    return None
                told.append(action)
            if old.newest_ms < 0 or (
                old.mark != mark if old.mark and mark else time_ms - old.newest_ms > self.gap_ms
            ):
                old.sessions += 1
            old.newest_ms, old.second_ms, old.mark = time_ms, old.newest_ms, mark
            if code == SHOWN:
                continue
            if event[ITEM_ID] is None:
                return None
            item = text_of(event[ITEM_ID])
            if DECIDED >> code & 1 and holds_item(items, item):
                return None
            append(&items, item.at, item.size)
            append_byte(&items, END)
            append_number(&rows, <uint64_t>(time_ms | mark << 48))
            append_byte(&rows, <uint8_t>code)
            if code == RATED:
                append_double(&ratings, event[RATING_VALUE])
        if not accepted:
            return value, 0, told

        fall = max(0, rows.size // ROW - self.history_length)
        cdef Span fallen = Span(items.at, 0), unseen
        cdef Column seen
        cdef int64_t seen_entries = old.seen_entries + fall
        for number in range(fall):
            fallen.size += id_size(items.at + fallen.size, items.size - fallen.size)
            rated += rows.at[number * ROW + ROW - 1] == RATED
        unseen = fallen
        if items.size > self.id_bytes or fallen.size > items.size or ratings.size < rated * RATING:
            return None
        if fall and (old.seen_entries + fall > self.seen_length or old.seen.size + fallen.size > self.id_bytes):
            seen = grown(self.memory + 4 * size, old.seen)
            seen_entries = crowd(&seen, old.seen_entries, fallen, self.seen_length, self.id_bytes)
            if seen_entries < 0:
                return None
            old.seen, unseen.size = Span(seen.at, seen.size), 0
        cut(&items, fallen.size)
        cut(&rows, fall * ROW)
        cut(&ratings, rated * RATING)
        cut(&recent, max(0, recent.size - self.recent_bytes))
        cdef int64_t stream_ms = old.newest_ms
        if old.second_ms >= 0:
            stream_ms = min(stream_ms, old.second_ms + self.jump_ms)
        if self.horizon_ms >= 0 and rows.size and time_of(rows) < stream_ms - self.horizon_ms:
            return None

        cdef uint8_t* begin = self.memory + 5 * size
        cdef uint8_t* at = write(begin, old.head)
        at = write_bytes(at, Span(items.at, items.size))
        at = write_bytes(at, Span(rows.at, rows.size))
        at = write_bytes(at, Span(ratings.at, ratings.size))
        at = write_two(at, old.seen, unseen)
        at = write_integer(at, seen_entries)
        at = write_bytes(at, Span(recent.at, recent.size))
        at = write_integer(at, old.event_count + <Py_ssize_t>len(accepted))
        at = write_integer(write_integer(at, old.newest_ms), old.second_ms)
        at = write_integer(write_integer(at, old.sessions), old.mark)
        at = write(at, old.query)
        at = write_causes(at, old.causes, old.cause_count if goes_on else 0, accepted)
        at = write(at, old.partition)
        newest = <tuple>accepted[len(accepted) - 1]
        at = write_integer(write_integer(at, newest[TOPIC]), newest[CREATE_TIME_MS])
        at = write_integer(write_integer(write_list_head(at, 2), old.applied[0]), old.applied[1])
        at = write(at, old.context)
        return PyBytes_FromStringAndSize(<char*>begin, at - begin), len(accepted), told

    cdef int make_room(self, Py_ssize_t size) except -1:
        cdef void* larger
        if size > self.room:
            larger = PyMem_Realloc(self.memory, 2 * size)
            if larger == NULL:
                raise MemoryError
            self.memory = <uint8_t*>larger
            self.room = 2 * size
        return 0


cdef uint8_t* write_causes(uint8_t* at, Span before, Py_ssize_t before_count, list accepted):
    """Write the ids of the newest events, those of an earlier call first."""
    cdef Py_ssize_t count = min(len(accepted), MOST_CAUSES), number
    cdef Py_ssize_t kept = min(before_count, MOST_CAUSES - count)
    cdef Reader reader = Reader(before.at, before.at + before.size, False)
    at = write_list_head(at, kept + count)
    for number in range(before_count - kept):
        skip_text(&reader)
    if kept:
        at = write(at, Span(reader.at, reader.end - reader.at))
    for event in accepted[len(accepted) - count :]:
        at = write_text(at, text_of((<tuple>event)[EVENT_ID]))
    return at


cdef bint holds_hash(Column recent, const char* digest, Py_ssize_t window) noexcept:
    """Return whether the hash is one of those in the last `window` bytes."""
    cdef Py_ssize_t at
    for at in range(max(0, recent.size - window), recent.size, HASH):
        if memcmp(recent.at + at, digest, HASH) == 0:
            return True
    return False
