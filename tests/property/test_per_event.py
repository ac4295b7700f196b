"""What is asked of every event is answered alike, compiled or in Python."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams import clock
from streams.state.per_event import mark_in_python, mark_of, to_ms

pytestmark = pytest.mark.skipif(to_ms is clock.to_ms, reason="nothing was compiled: there was no C compiler")
ZONES = st.just(UTC) | st.timezones() | st.just(timezone(timedelta(hours=-9)))


@given(st.datetimes(timezones=ZONES))
@example(datetime(1970, 1, 1, tzinfo=UTC))
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(2000, 2, 29, 12, tzinfo=UTC))
@example(datetime(2100, 3, 1, tzinfo=UTC))
@settings(max_examples=500)
def test_the_time_of_a_moment(moment: datetime) -> None:
    assert to_ms(moment) == clock.to_ms(moment)


@pytest.mark.parametrize("wrong", [datetime(2024, 1, 1), 7, None])
def test_what_is_no_aware_moment_is_refused(wrong: datetime) -> None:
    with pytest.raises(TypeError) as wanted:
        clock.to_ms(wrong)
    with pytest.raises(TypeError) as found:
        to_ms(wrong)
    assert str(found.value) == str(wanted.value)


@given(st.text(max_size=600))
def test_the_mark_of_a_session(session_id: str) -> None:
    assert 0 < mark_of(session_id) == mark_in_python(session_id) < 1 << 16
