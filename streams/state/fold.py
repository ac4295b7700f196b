"""`fold(state, event)`: pure, total, and blind to records that it has seen before.

- Order: the history stands in event time; equal times keep the order of arrival. A late event lands where it
  belongs, or among the seen items when it is older than a full history.
- Repeats: a record at or before the offset applied for its topic changes nothing (a replay), nor does an event
  id among the newest `state.duplicate_window` events of the user, of any type (a producer's retry).
- Decisions: of all likes, dislikes, ratings, unlikes and unrates of an item only the newest by event time stands.
  An `unlike` or `unrate` keeps its place in the history, unseen, so that an older decision that comes late
  stays without effect.
- `impression` and `search` are counted and leave no interaction: they say what was offered or wanted, not
  what was chosen.
- Time: a horizon counts in the user's own stream time, the largest event time, but no more than
  `forward_jump` beyond the second largest. So it depends on which events there are and not on their order, needs
  nothing that the state does not hold, and one wrong clock cannot drive it away.
- Context: of the field `state.trend_context` the newest value by event time stands; an event without one
  changes nothing.

`apply` is the fold itself, of any number of a user's events on a draft; `fold` shows it as a function of one.
"""

from collections.abc import Sequence

from xxhash import xxh3_64_digest

from streams.clock import to_ms
from streams.contracts import Event, EventType, Record, Source, UserState
from streams.contracts.events import DECISIONS
from streams.contracts.users import END, HASH_BYTES, pack_row
from streams.settings.state import StateSettings
from streams.state import columns
from streams.state.arrivals import CONTEXT, CREATE_TIME_MS, EVENT_ID, TIME_MS, TOPIC, Arrival, arrival_of
from streams.state.draft import Draft
from streams.state.rules import Rules

CAUSES = 20
"""Most event ids that one version of a state names as its cause."""

QUERY_CHARACTERS = 1_000
"""A longer query is cut in the state."""

_RECENT_SLACK = 16 * HASH_BYTES
_SEARCH = EventType.SEARCH.code
_SILENT = frozenset({EventType.IMPRESSION.code, _SEARCH})
_DECISIONS = frozenset(kind.code for kind in DECISIONS)
_UNUSUAL = _SILENT | _DECISIONS


def fold(state: UserState | None, event: Event, source: Source, settings: StateSettings) -> UserState:
    """Return the state after `event`; the same object when the event is a repeat.

    Args:
        state: None for a user of whom nothing is known.
        source: the record that carried the event.
    """
    draft = Draft.of_nothing(event.user_id, source.partition) if state is None else Draft.of(state)
    record = Record(source.topic, source.partition, source.offset, source.create_time_ms, None, None)
    rules = Rules.of(settings)
    accepted = apply(draft, [arrival_of(record, event, to_ms(event.event_time), rules.context_field)], rules)
    return state if state is not None and not accepted else draft.frozen()


def next_version(state: UserState) -> UserState:
    """Return `state` with no causes, ready for the events of the next batch."""
    draft = Draft.of(state)
    draft.caused_by.clear()
    return draft.frozen()


def apply(draft: Draft, arrivals: Sequence[Arrival], rules: Rules) -> list[Arrival]:
    """Fold a user's events into `draft`, in order of arrival, and return those that were no repeats.

    How the events are divided between calls does not show. Written for the common event, a view or click that
    is the newest of its user: everything that it touches is a local name, and what falls out of the history waits
    in `columns.settle` for the end, or for the next event that must see the history as it is.
    """
    accepted: list[Arrival] = []
    applied, recent = draft.applied, draft.recent_column
    items, rows = draft.item_column, draft.row_column
    newest_ms, second_ms, last_mark = draft.last_event_time_ms, draft.second_event_time_ms, draft.last_session
    window, gap_ms = rules.recent_bytes, rules.session_gap_ms
    for arrival in arrivals:
        _, code, item_id, time_ms, _, _, topic, offset, _, _, event_id, mark, query = arrival
        if offset <= applied[topic]:
            continue
        event_hash = xxh3_64_digest(event_id.encode())[:HASH_BYTES]
        # `find` takes half as long as `in`, and this search is the dearest line of the fold.
        if recent.find(event_hash) >= 0 and columns.repeated(recent, event_hash, window):
            continue
        recent += event_hash
        if len(recent) > window + _RECENT_SLACK:
            del recent[:-window]
        applied[topic] = offset
        accepted.append(arrival)
        if time_ms >= newest_ms:
            # `parts`, written out
            if (last_mark != mark if last_mark and mark else time_ms - newest_ms > gap_ms) or newest_ms < 0:
                draft.session_count += 1
            newest_ms, second_ms, last_mark = time_ms, newest_ms, mark
            if code not in _UNUSUAL:
                items += (item_id or "").encode() + END
                rows += pack_row(time_ms | mark << 48, code)
                continue
        elif time_ms > second_ms:
            second_ms = time_ms
        if code == _SEARCH:
            _search(draft, query, time_ms)
        elif code not in _SILENT:
            draft.last_event_time_ms, draft.second_event_time_ms = newest_ms, second_ms
            columns.settle(draft, rules)
            _place(draft, arrival)
            columns.settle(draft, rules)  # like `_place`, it changes the columns and puts no others in their place
    if accepted:
        draft.last_event_time_ms, draft.second_event_time_ms, draft.last_session = newest_ms, second_ms, last_mark
        _close(draft, accepted, rules)
    return accepted


def parts(gap_ms: int, before: int, after: int, longest_ms: int) -> bool:
    """Return whether two neighbouring events with these session marks belong to different sessions."""
    return before != after if before and after else gap_ms > longest_ms


def _close(draft: Draft, accepted: Sequence[Arrival], rules: Rules) -> None:
    draft.event_count += len(accepted)
    draft.topic, draft.create_time_ms = accepted[-1][TOPIC], accepted[-1][CREATE_TIME_MS]
    draft.caused_by += [arrival[EVENT_ID] for arrival in accepted[-CAUSES:]]
    del draft.caused_by[:-CAUSES]
    del draft.recent_column[: -rules.recent_bytes]
    columns.settle(draft, rules)
    if rules.context_field:
        for arrival in accepted:
            time_ms, told = arrival[TIME_MS], arrival[CONTEXT]
            if told is not None and time_ms >= draft.last_context_time_ms:
                draft.last_context, draft.last_context_time_ms = told, time_ms


def _search(draft: Draft, query: str | None, time_ms: int) -> None:
    if time_ms >= draft.last_query_time_ms:
        draft.last_query, draft.last_query_time_ms = (query or "")[:QUERY_CHARACTERS], time_ms


def _place(draft: Draft, arrival: Arrival) -> None:
    _, code, item_id, time_ms, *_ = arrival
    item = (item_id or "").encode() + END
    if code not in _DECISIONS or columns.retract(draft, item, time_ms, _DECISIONS):
        columns.insert(draft, arrival, item)
