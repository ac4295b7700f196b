"""Standing slates: who holds an item is always what their slates say."""

from hypothesis import given
from hypothesis import strategies as st

from workers.ranking.standing import StandingSlates

KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
ROWS = (0, 1, 2, 5, 9)
ITEMS = st.lists(st.sampled_from(ROWS), max_size=4)


@given(st.lists(st.tuples(st.integers(0, 1), KEYS, ITEMS)), st.booleans())
def test_holders_are_those_whose_newest_slate_has_the_item(
    puts: list[tuple[int, bytes, list[int]]], drop: bool
) -> None:
    standing = StandingSlates()
    standing.open([0, 1])
    expected: dict[tuple[int, bytes], list[int]] = {}
    for partition, key, items in puts:
        standing.put(partition, key, items)
        expected[partition, key] = items
    if drop:
        standing.drop([1])
        expected = {place: items for place, items in expected.items() if place[0] == 0}
    for item in (*ROWS, 10):
        assert set(standing.holders(item)) == {place for place, items in expected.items() if item in items}
    held = {place: tuple(items) for place, items in expected.items() if items}
    assert {place: standing.get(*place) for place in held} == held
    assert set(standing.everyone()) == set(held)
    assert len(standing) == len(held)
    assert set(standing.rows()) == {item for items in held.values() for item in items}
    assert standing.item_count == len(standing.rows())
