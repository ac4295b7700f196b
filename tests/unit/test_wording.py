"""Reasons in words."""

from streams.contracts import Reason
from workers.wording import why_words


def test_a_reason_names_the_item_or_the_context_that_it_holds_of() -> None:
    reasons = [
        Reason("no_history"),
        Reason("trending", context="NL"),
        Reason("trending"),
        Reason("similar_item", "i1"),
        Reason("a new one"),
    ]
    assert why_words(reasons, {"i1": "Boots"}) == [
        "because of Boots",
        "nothing known yet",
        "picked up lately in NL",
        "picked up lately",
        "a new one",
    ]
