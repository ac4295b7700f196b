"""Where somebody is, or with what: one field of the open map `context` that events and requests carry."""

from collections.abc import Mapping

LONGEST = 64
"""Most characters of a value by which anything is counted."""

_INTEGERS = range(-(2**63), 2**63)


def context_in(context: Mapping[str, object], field: str) -> str | None:
    """Return the value of one field as text, or None where it tells apart nothing that could be counted by.

    Text of 1 to `LONGEST` characters counts as it is, an integer as its digits; longer text, fractions, truth
    values and null count as not told.
    """
    value = context.get(field)
    if type(value) is str:
        return value if 0 < len(value) <= LONGEST else None
    # Not `isinstance`, for which True is an integer; and the digits of a huge one would be longer than any text.
    return str(value) if type(value) is int and value in _INTEGERS else None
