"""One bad line costs no other."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import decode_item, encode_json
from streams.contracts import Item
from workers.cli.lines import BadLine, Tally, read_lines

GOOD = encode_json(Item(item_id="1", title="t"))


def test_bad_lines_are_named_by_number_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    lines = [GOOD, b"\n", b"{", b'{"schema_version":1,"item_id":"2"}', GOOD]
    passed = list(tally.passed(read_lines(lines, decode_item)))
    assert [item.item_id for item in passed] == ["1", "1"]
    assert (tally.good, tally.bad) == (2, 2)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == ["line 3", "line 4"]
    assert "title" in said[1]


def test_bad_lines_fail_the_command_unless_they_may_be_skipped() -> None:
    Tally(good=1).report("t", 1, skip_bad=False, as_json=False)
    Tally(good=1, bad=1).report("t", 1, skip_bad=True, as_json=False)
    with pytest.raises(typer.Exit) as caught:
        Tally(good=1, bad=1).report("t", 1, skip_bad=False, as_json=False)
    assert caught.value.exit_code == 1


@given(st.lists(st.binary(max_size=60)))
def test_no_bytes_raise(lines: list[bytes]) -> None:
    for message in read_lines(lines, decode_item):
        assert isinstance(message, Item | BadLine)


def test_deep_nesting_is_a_bad_line() -> None:
    deep = b'{"schema_version":1,"item_id":"1","title":' + b"[" * 100_000
    assert [type(message) for message in read_lines([deep], decode_item)] == [BadLine]
