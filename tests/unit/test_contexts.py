"""Which values of a context anything can be counted by."""

import pytest

from streams.contexts import LONGEST, context_in


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("NL", "NL"),
        (" nl ", " nl "),
        ("x" * LONGEST, "x" * LONGEST),
        (7, "7"),
        (-(2**63), str(-(2**63))),
        ("", None),
        ("x" * (LONGEST + 1), None),
        (True, None),
        (1.5, None),
        (None, None),
        (2**63, None),
    ],
)
def test_text_and_integers_count_and_all_else_is_not_told(value: object, found: str | None) -> None:
    assert context_in({"country": value, "device": "phone"}, "country") == found


def test_what_no_event_tells_is_not_told() -> None:
    assert context_in({}, "country") is None
