"""The packed columns of a draft: insert, take out, let fall. See `UserState` for what each holds."""

from bisect import bisect_right
from collections.abc import Container

from streams.contracts import EventType
from streams.contracts.users import END, HASH_BYTES, RATING, ROW, TYPES, row_of
from streams.state.arrivals import Arrival
from streams.state.draft import Draft
from streams.state.rules import Rules

_RATING = EventType.RATING.code


def repeated(recent: bytearray, event_hash: bytes, window_bytes: int) -> bool:
    """Return whether an event's hash is one of those in the last `window_bytes` of `recent`."""
    at = recent.find(event_hash, max(0, len(recent) - window_bytes))
    while at >= 0 and at % HASH_BYTES:  # the end of one and the beginning of the next
        at = recent.find(event_hash, at + 1)
    return at >= 0


def insert(draft: Draft, arrival: Arrival, item: bytes) -> None:
    """Add an interaction behind all that are not later than it.

    Args:
        item: its id, which ends with `END`.
    """
    _, kind, _, time_ms, value, _, _, _, _, _, _, mark, _ = arrival
    row, at = length(draft), len(draft.item_column)
    if row and _time_at(draft, row - 1) > time_ms:
        row = bisect_right(_times(draft), time_ms)
        at = _item_at(draft.item_column, row)
    draft.item_column[at:at] = item
    if kind == _RATING:
        at = _ratings_before(draft, row)
        draft.rating_column = draft.rating_column[:at] + RATING.pack(value) + draft.rating_column[at:]
    draft.row_column[row * ROW.size : row * ROW.size] = row_of(time_ms, mark, kind)


def retract(draft: Draft, item: bytes, time_ms: int, decisions: Container[int]) -> bool:
    """Take the older decision on an item out; return False when the one that stands is newer than `time_ms`."""
    if draft.item_column.find(item) < 0:  # finds the ends of other ids too, and misses none
        return True
    ids = draft.item_column.split(END)
    for row, kind in enumerate(draft.row_column[TYPES]):
        if kind in decisions and ids[row] == item[:-1]:
            if _time_at(draft, row) > time_ms:
                return False
            _take_out(draft, row)
            return True
    return True


def settle(draft: Draft, rules: Rules) -> None:
    """Let what is too much, or lies behind the horizon, fall from the history to the seen items.

    Called after one event or after many that came in order: the same interactions fall, in the same order.
    """
    fall = length(draft) - rules.history_length
    if rules.horizon_ms is not None:
        fall = max(fall, _expired(draft, rules.forward_jump_ms, rules.horizon_ms))
    if fall > 0:
        _let_fall(draft, fall, rules)
    while len(draft.item_column) > rules.id_bytes:
        _let_fall(draft, 1, rules)


def length(draft: Draft) -> int:
    """Return how many interactions the history holds."""
    return len(draft.row_column) // ROW.size


def stream_time_ms(draft: Draft, forward_jump_ms: int) -> int:
    """Return the user's stream time: no single event moves it further than the jump beyond all others."""
    if draft.second_event_time_ms < 0:
        return draft.last_event_time_ms
    return min(draft.last_event_time_ms, draft.second_event_time_ms + forward_jump_ms)


def _expired(draft: Draft, forward_jump_ms: int, horizon_ms: int) -> int:
    return bisect_right(_times(draft), stream_time_ms(draft, forward_jump_ms) - horizon_ms - 1)


def _let_fall(draft: Draft, count: int, rules: Rules) -> None:
    size = _item_at(draft.item_column, count)
    fallen = draft.item_column[:size]
    if draft.seen_entries + count <= rules.seen_length and len(draft.seen_column) + size <= rules.id_bytes:
        draft.seen_column += fallen
        draft.seen_entries += count
    else:
        # One by one, because what is forgotten when must not depend on how many fall together.
        for item in fallen.split(END)[:-1]:
            draft.seen_column += item + END
            draft.seen_entries += 1
            if draft.seen_entries > rules.seen_length or len(draft.seen_column) > rules.id_bytes:
                _forget(draft, rules)
    del draft.item_column[:size]
    if draft.rating_column:
        draft.rating_column = draft.rating_column[_ratings_before(draft, count) :]
    del draft.row_column[: count * ROW.size]


def _take_out(draft: Draft, row: int) -> None:
    start = _item_at(draft.item_column, row)
    del draft.item_column[start : draft.item_column.index(END, start) + 1]
    if draft.row_column[TYPES][row] == _RATING:
        at = _ratings_before(draft, row)
        draft.rating_column = draft.rating_column[:at] + draft.rating_column[at + RATING.size :]
    del draft.row_column[row * ROW.size : (row + 1) * ROW.size]


def _time_at(draft: Draft, row: int) -> int:
    low, high, _, _ = ROW.unpack_from(draft.row_column, row * ROW.size)
    time_ms: int = low | high << 32
    return time_ms


def _times(draft: Draft) -> list[int]:
    return [low | high << 32 for low, high, _, _ in ROW.iter_unpack(draft.row_column)]


def _ratings_before(draft: Draft, row: int) -> int:
    """Return where the ratings of the rows from this one on begin."""
    return draft.row_column[TYPES][:row].count(_RATING) * RATING.size


def _item_at(items: bytearray, row: int) -> int:
    """Return where the id of a row begins."""
    at = 0
    for _ in range(row):
        at = items.index(END, at) + 1
    return at


def _forget(draft: Draft, rules: Rules) -> None:
    """Leave each seen item once, and where that is not enough, three quarters of the limits.

    A quarter at once, because looking for repeats at every event costs more than the rest of the fold.
    """
    newest_first = list(dict.fromkeys(reversed(bytes(draft.seen_column).split(END)[:-1])))
    most, most_bytes = rules.seen_length * 3 // 4, rules.id_bytes * 3 // 4
    newest_first = newest_first[:most]
    size = sum(map(len, newest_first)) + len(newest_first)
    while size > most_bytes:
        size -= len(newest_first.pop()) + 1
    draft.seen_column[:] = b"".join(item + END for item in reversed(newest_first))
    draft.seen_entries = len(newest_first)
