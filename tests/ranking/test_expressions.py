"""Rules over item fields mean what they would mean in Python, reach nothing else, and never fail on an item."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import ItemVector
from tests.ranking.worlds import item
from workers.ranking.expressions import ExpressionError, Kind, compile_condition, compile_expression

NUMBERS = st.sampled_from(["price", "price + 1", "len(categories)", "10", "-3", "price * 2 - 5"])
TEXTS = st.sampled_from(["title", "item_id", "'Drama'", "lower(title)"])
ORDER = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def comparison(sides: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{} {} {}".format, sides, ORDER, sides)


LEAVES = (
    comparison(NUMBERS)
    | comparison(TEXTS)
    | st.builds("{} in categories".format, TEXTS)
    | st.builds("{} not in ['Drama', 'Title 4']".format, TEXTS)
    | st.builds("{0} < {1} <= {2}".format, NUMBERS, NUMBERS, NUMBERS)
    | st.sampled_from(["available", "not available", "'itle' in title", "price is not None"])
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds("({} and {})".format, inner, inner)
        | st.builds("({} or {})".format, inner, inner)
        | st.builds("not ({})".format, inner)
    ),
    max_leaves=6,
)
ITEMS = st.builds(
    lambda number, price, kinds, there: item(number, price=price, categories=tuple(kinds), available=there),
    st.integers(0, 9),
    st.floats(-10, 50),
    st.lists(st.sampled_from(["Comedy", "Drama", "Horror"]), unique=True),
    st.booleans(),
)


@given(CONDITIONS, ITEMS)
def test_a_condition_means_what_it_means_in_python(text: str, one: ItemVector) -> None:
    fields = {name: getattr(one, name) for name in ("item_id", "title", "categories", "price", "available")}
    expected = eval(text, {"__builtins__": {}, "len": len, "lower": str.lower}, fields)
    assert compile_condition(text)(one) is expected


@given(CONDITIONS)
def test_no_condition_fails_on_an_item_of_which_little_is_known(text: str) -> None:
    assert compile_condition(text)(item(1, price=None, categories=(), title="")) in (True, False)


@pytest.mark.parametrize(
    "text",
    ["price < 5", "price >= 5", "price == 5", "price != 5", "price + 1 > 0", "attributes.x == 1", "attributes.x"],
)
def test_a_comparison_with_what_is_not_there_is_false(text: str) -> None:
    assert compile_condition(text)(item(1, price=None)) is False


def test_attributes_are_of_any_kind_and_may_be_named_in_two_ways() -> None:
    one = item(1, attributes={"brand": "Acme", "weight": 2, "new": True})
    for text in (
        "attributes.brand == 'Acme'", "attributes['brand'] in ['Acme', 'Other']", "attributes.weight < 3",
        "attributes.new", "not (attributes.brand < 3)", "attributes['not there'] is None",
    ):  # fmt: skip
        assert compile_condition(text)(one) is True, text


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "title.__class__",
        "().__class__",
        "open('x')",
        "(lambda: 1)()",
        "[x for x in categories]",
        "f'{title}'",
        "price if available else 1",
        "categories[0]",
        "title := 'x'",
        "print",
        "vector",
        "*categories",
        "{1: 2}",
        "price ** 9",
        "price << 1",
        "title % 1",
        "None",
        "1",
        "'x'",
        "",
        "price <",
        "a" * 3_000,
        "(" * 500 + "1" + ")" * 500,
        "title < 5",
        "price == 'x'",
        "lower(price) == 'x'",
        "len(price) > 1",
        "5 in categories",
        "price is True",
    ],
)
def test_what_is_no_condition_over_item_fields_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_condition(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("price", Kind.NUMBER),
        ("categories", Kind.TEXTS),
        ("attributes.brand", Kind.ANY),
        ("lower(title)", Kind.TEXT),
    ],
)
def test_an_expression_knows_its_kind(text: str, kind: Kind) -> None:
    assert compile_expression(text).kind is kind


def test_an_unknown_field_is_named_beside_those_that_exist() -> None:
    refused: Callable[[], object] = lambda: compile_condition("colour == 'red'")  # noqa: E731
    with pytest.raises(ExpressionError, match="no field `colour`; an item has item_id, title, categories, price"):
        refused()
