"""Packed columns read whole say what `UserState.history` and `UserState.seen` say."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import EventType
from tests.ranking import worlds
from tests.ranking.worlds import Deed, state
from workers.ranking.pasts import of_histories, of_states, seen_of

KINDS = st.sampled_from([kind for kind in EventType if kind is not EventType.SEARCH])
NUMBERS = st.integers(0, 8)  # items 6 and more are in no catalogue
CATALOGUE = worlds.catalogue(worlds.settings(), count=6)


@st.composite
def deeds(draw: st.DrawFn) -> list[Deed]:
    found: list[Deed] = []
    for number, kind in draw(st.lists(st.tuples(NUMBERS, KINDS), max_size=12)):
        rated = kind is EventType.RATING
        found.append((number, kind, draw(st.sampled_from([1.0, 2.5, 5.0]))) if rated else (number, kind))
    return found


@given(st.lists(st.tuples(deeds(), st.lists(NUMBERS, max_size=4)), max_size=4))
def test_columns_say_what_rows_say(users: Sequence[tuple[list[Deed], list[int]]]) -> None:
    states = [state(f"u{number}", *user) for number, user in enumerate(users)]
    acted = of_states(states, CATALOGUE)
    rows = of_histories([each.history for each in states], CATALOGUE)
    for ours, theirs in zip(acted.standing(), rows, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    owners, older = seen_of(states, CATALOGUE)
    for number, each in enumerate(states):
        every = {*acted.rows[acted.owners == number].tolist(), *older[owners == number].tolist()}
        items = {*each.seen, *(past.item_id for past in each.history)}
        assert every == set(CATALOGUE.rows(items).tolist())
