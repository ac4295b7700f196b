"""What is read off a history: the session that is on, and what speaks for the user's taste."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.contracts import Event, EventType, Source, UserState
from streams.errors import SettingError
from streams.settings.state import RatingScale, StateSettings
from streams.state.fold import fold
from streams.state.sessions import current_session
from streams.state.taste import WEIGHTS, checked, taste
from streams.topics import CLICKSTREAM

START = datetime(2024, 1, 1, tzinfo=UTC)
SETTINGS = StateSettings(session_gap_seconds=60)
Told = tuple[int, str, EventType, str | float | None]
"""Second, item, type, session id or rating."""


def folded(*told: Told) -> UserState:
    state: UserState | None = None
    for offset, (second, item, kind, more) in enumerate(told):
        event = Event(
            event_id=f"e{offset}",
            event_type=kind,
            user_id="u",
            item_id=item,
            event_time=START + timedelta(seconds=second),
            value=more if isinstance(more, float) else None,
            session_id=more if isinstance(more, str) else None,
        )
        source = Source(topic=CLICKSTREAM, partition=0, offset=offset, create_time_ms=0)
        state = fold(state, event, source, SETTINGS)
    assert state is not None
    return state


def in_session(state: UserState) -> list[str]:
    return [past.item_id for past in current_session(state, SETTINGS)]


def test_a_long_pause_begins_a_session_where_events_name_none() -> None:
    state = folded((0, "a", V, None), (60, "b", V, None), (121, "c", V, None), (150, "d", V, None))
    assert in_session(state) == ["c", "d"]
    assert state.session_count == 2


def test_a_session_id_is_stronger_than_pauses() -> None:
    state = folded((0, "a", V, "s1"), (10, "b", V, "s2"), (900, "c", V, "s2"))
    assert in_session(state) == ["b", "c"]
    assert state.session_count == 2


def test_a_late_event_joins_its_session_and_begins_none() -> None:
    state = folded((0, "a", V, "s1"), (300, "c", V, "s2"), (200, "b", V, "s2"), (100, "x", V, "s1"))
    assert in_session(state) == ["b", "c"]
    assert state.session_count == 2


def test_before_any_act_there_is_a_session_without_items() -> None:
    state = folded((0, "a", EventType.IMPRESSION, None))
    assert in_session(state) == []
    assert state.session_count == 1


V = EventType.VIEW


@pytest.mark.parametrize(
    ("told", "speaking"),
    [
        ([(0, "a", V, None), (1, "b", EventType.PURCHASE, None)], ["a", "b"]),
        ([(0, "a", EventType.PURCHASE, None), (1, "a", EventType.DISLIKE, None)], []),
        ([(0, "a", EventType.DISLIKE, None), (1, "a", EventType.PURCHASE, None)], []),
        ([(0, "a", EventType.DISLIKE, None), (1, "a", EventType.LIKE, None)], ["a"]),
        ([(0, "a", EventType.LIKE, None), (1, "a", EventType.UNLIKE, None)], []),
        ([(0, "a", V, None), (1, "a", EventType.LIKE, None), (2, "a", EventType.UNLIKE, None)], ["a"]),
        ([(0, "a", EventType.RATING, 5.0), (1, "a", EventType.UNRATE, None)], []),
        ([(0, "a", EventType.RATING, 5.0), (1, "b", EventType.RATING, 3.0)], ["a"]),
        ([(0, "a", EventType.RATING, 5.0), (1, "a", EventType.RATING, 1.0)], []),
        ([(2, "a", EventType.UNLIKE, None), (1, "a", EventType.LIKE, None)], []),
    ],
)
def test_the_newest_decision_on_an_item_says_whether_it_speaks_for_the_taste(
    told: list[Told], speaking: list[str]
) -> None:
    found = taste(folded(*told), RatingScale())
    assert [item for item, weight in found.items() if weight > 0] == speaking


def test_an_item_that_was_taken_back_is_still_seen() -> None:
    state = folded((0, "a", EventType.LIKE, None), (1, "a", EventType.UNLIKE, None))
    assert (state.history, state.seen) == ((), ("a",))


@pytest.mark.parametrize(
    ("kind", "wrong"), [(EventType.DISLIKE, 1.0), (V, -1.0), (V, 0.0), (EventType.UNLIKE, 1.0)]
)
def test_a_weight_with_the_wrong_sign_is_refused(kind: EventType, wrong: float) -> None:
    with pytest.raises(SettingError, match=kind.value):
        checked({**WEIGHTS, kind: wrong})
