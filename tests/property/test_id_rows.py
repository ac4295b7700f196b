"""`IdRows` answers as a dictionary does, and `RowLists` as a dictionary of lists."""

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.ranking import id_rows
from workers.ranking.id_rows import UNKNOWN, IdRows
from workers.ranking.row_lists import NOTHING, RowLists

ids = st.lists(st.text(max_size=3), max_size=60)


@given(ids, ids, ids, st.integers(0, 30))
def test_ids_have_the_rows_in_which_they_came(
    first: list[str], given_: list[str], asked: list[str], few: int
) -> None:
    first = list(dict.fromkeys(first))
    told = {each: row for row, each in enumerate(first)}
    with patch.object(id_rows, "_FIRST_SLOTS", 2), patch.object(id_rows, "_FEW", few):
        rows = IdRows(first)
        for each in given_:
            assert rows.give(each) == told.setdefault(each, len(told))
        questions = [*asked, *told]
        assert rows.rows(questions).tolist() == [told.get(each, UNKNOWN) for each in questions]
        assert [rows.row(each) for each in questions] == [told.get(each, UNKNOWN) for each in questions]
    assert len(rows) == len(told)


def test_a_full_row_of_neighbours_wraps_around_the_end_of_the_table() -> None:
    with patch.object(id_rows, "hash", int, create=True):
        rows = IdRows()
        wanted = [str(2_047 + 2_048 * number) for number in range(40)]  # all of them want the last place
        assert [rows.give(each) for each in wanted] == list(range(40))
        assert rows.rows(wanted).tolist() == list(range(40))
        assert rows.row("2046") == UNKNOWN


@given(
    st.lists(st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 9), max_size=5), max_size=6), max_size=6)
)
def test_many_lists_are_put_as_one_after_the_other(turns: list[dict[int, list[int]]]) -> None:
    lists, held = RowLists(), dict[int, list[int]]()
    for turn in turns:
        held |= turn
        lists.put_all(
            np.array(list(turn), np.int64),
            np.array(list(map(len, turn.values())), np.int64),
            np.array([number for each in turn.values() for number in each], np.int64),
        )
    for line, row in enumerate(lists.matrix.tolist()):
        assert [number for number in row if number != NOTHING] == held.get(line, [])
    assert all(line < len(lists.matrix) or not each for line, each in held.items())
