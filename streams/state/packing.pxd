# cython: language_level=3
"""Msgpack as far as a user's state goes, and columns of bytes, over plain memory: read in place, written to room."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy


cdef struct Span:
    const uint8_t* at
    Py_ssize_t size


cdef struct Column:  # bytes that grow, in room that was made for it
    uint8_t* at
    Py_ssize_t size


cdef struct Reader:  # after what it does not know it is broken for good, and all that it reads is empty
    const uint8_t* at
    const uint8_t* end
    bint broken


cdef inline uint64_t read_big_endian(Reader* reader, int size) noexcept:
    cdef uint64_t number = 0
    cdef int place
    if reader.end - reader.at < size:
        reader.broken = True
    if reader.broken:
        return 0
    for place in range(size):
        number = number << 8 | reader.at[place]
    reader.at += size
    return number


cdef inline uint8_t read_kind(Reader* reader) noexcept:
    return <uint8_t>read_big_endian(reader, 1)


cdef inline int64_t read_integer(Reader* reader) noexcept:
    """Read an integer of -32 to 2**62: others stand in no state."""
    cdef uint8_t kind = read_kind(reader)
    cdef uint64_t number
    if kind < 0x80:
        return kind
    if kind >= 0xE0:
        return <int64_t>kind - 0x100
    if 0xCC <= kind <= 0xCF:
        number = read_big_endian(reader, 1 << (kind - 0xCC))
        if number <= <uint64_t>1 << 62:
            return <int64_t>number
    reader.broken = True
    return 0


cdef inline Span read_span(Reader* reader, uint64_t size) noexcept:
    cdef Span span
    if size > <uint64_t>(reader.end - reader.at):
        reader.broken = True
    span.at, span.size = reader.at, 0 if reader.broken else <Py_ssize_t>size
    reader.at += span.size
    return span


cdef inline Span read_bytes(Reader* reader) noexcept:
    cdef uint8_t kind = read_kind(reader)
    if not 0xC4 <= kind <= 0xC6:
        reader.broken = True
        return read_span(reader, 0)
    return read_span(reader, read_big_endian(reader, 1 << (kind - 0xC4)))


cdef inline void skip_text(Reader* reader) noexcept:
    """Pass over a text or null."""
    cdef uint8_t kind = read_kind(reader)
    if 0xA0 <= kind < 0xC0:
        read_span(reader, kind - 0xA0)
    elif 0xD9 <= kind <= 0xDB:
        read_span(reader, read_big_endian(reader, 1 << (kind - 0xD9)))
    elif kind != 0xC0:
        reader.broken = True


cdef inline Py_ssize_t read_list(Reader* reader) noexcept:
    """Return how many entries follow."""
    cdef uint8_t kind = read_kind(reader)
    if 0x90 <= kind < 0xA0:
        return kind - 0x90
    if kind == 0xDC:
        return <Py_ssize_t>read_big_endian(reader, 2)
    reader.broken = True
    return 0


cdef inline uint8_t* write(uint8_t* at, Span span) noexcept:
    """Copy the span to `at`; return where it ends, as all that write do."""
    memcpy(at, span.at, span.size)
    return at + span.size


cdef inline uint8_t* write_big_endian(uint8_t* at, uint64_t number, int size) noexcept:
    cdef int place
    for place in range(size):
        at[place] = <uint8_t>(number >> 8 * (size - 1 - place))
    return at + size


cdef inline uint8_t* write_integer(uint8_t* at, int64_t number) noexcept:
    """Write an integer of -32 to 2**63 - 1."""
    cdef int power
    if number < 128:
        at[0] = <uint8_t>number
        return at + 1
    power = 0 if number < 1 << 8 else 1 if number < 1 << 16 else 2 if number < <int64_t>1 << 32 else 3
    at[0] = <uint8_t>(0xCC + power)
    return write_big_endian(at + 1, number, 1 << power)


cdef inline uint8_t* write_nil(uint8_t* at) noexcept:
    at[0] = 0xC0
    return at + 1


cdef inline uint8_t* write_double(uint8_t* at, double number) noexcept:
    cdef uint64_t bits
    memcpy(&bits, &number, sizeof(bits))
    at[0] = 0xCB
    return write_big_endian(at + 1, bits, 8)


cdef inline uint8_t* write_bytes_head(uint8_t* at, Py_ssize_t size) noexcept:
    cdef int power = 0 if size < 1 << 8 else 1 if size < 1 << 16 else 2
    at[0] = <uint8_t>(0xC4 + power)
    return write_big_endian(at + 1, size, 1 << power)


cdef inline uint8_t* write_bytes(uint8_t* at, Span span) noexcept:
    return write(write_bytes_head(at, span.size), span)


cdef inline uint8_t* write_two(uint8_t* at, Span first, Span second) noexcept:
    """Write both as one value of bytes."""
    return write(write(write_bytes_head(at, first.size + second.size), first), second)


cdef inline uint8_t* write_text(uint8_t* at, Span text) noexcept:
    """Write a text of less than 64 KiB."""
    if text.size < 32:
        at[0] = <uint8_t>(0xA0 | text.size)
        return write(at + 1, text)
    cdef int power = 0 if text.size < 1 << 8 else 1
    at[0] = <uint8_t>(0xD9 + power)
    return write(write_big_endian(at + 1, text.size, 1 << power), text)


cdef inline uint8_t* write_list_head(uint8_t* at, Py_ssize_t entries) noexcept:
    """Begin a list of less than 65,536 entries."""
    if entries < 16:
        at[0] = <uint8_t>(0x90 | entries)
        return at + 1
    at[0] = 0xDC
    return write_big_endian(at + 1, entries, 2)


cdef inline Column grown(uint8_t* memory, Span span) noexcept:
    """Return the bytes where there is room for more."""
    memcpy(memory, span.at, span.size)
    return Column(memory, span.size)


cdef inline void append(Column* column, const void* at, Py_ssize_t size) noexcept:
    memcpy(column.at + column.size, at, size)
    column.size += size


cdef inline void append_byte(Column* column, uint8_t byte) noexcept:
    column.at[column.size] = byte
    column.size += 1


cdef inline void append_number(Column* column, uint64_t number) noexcept:
    """Append 8 bytes, little-endian."""
    cdef int place
    for place in range(8):
        append_byte(column, <uint8_t>(number >> 8 * place))


cdef inline void cut(Column* column, Py_ssize_t size) noexcept:
    """Take bytes off the beginning."""
    column.at += size
    column.size -= size


cdef inline void append_double(Column* column, double number) noexcept:
    """Append 8 bytes, IEEE 754, little-endian."""
    cdef uint64_t bits
    memcpy(&bits, &number, sizeof(bits))
    append_number(column, bits)


cdef inline int64_t time_of(Column rows) noexcept:
    """Return the event time of the first row, milliseconds since the epoch."""
    cdef int64_t time_ms = 0
    cdef int place
    for place in range(6):
        time_ms |= <int64_t>rows.at[place] << 8 * place
    return time_ms
