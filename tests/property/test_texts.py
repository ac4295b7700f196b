"""Laws of the text of an item."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.texts import check_template, item_text
from streams.contracts.items import Item
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings

DEFAULT = EncoderSettings().item_template
TEXT = st.text(max_size=40)
FIELDS = st.sampled_from(
    ["{title}", "{description}", "{categories}", "{price}", "{attributes.brand}", "{description|title}"]
)
WORDS = st.text(st.characters(exclude_characters="{}"), max_size=12)
TEMPLATES = st.lists(st.tuples(WORDS, FIELDS), min_size=1, max_size=5).flatmap(
    lambda pairs: WORDS.map(lambda tail: "".join(words + field for words, field in pairs) + tail)
)
ITEMS = st.builds(
    Item,
    item_id=st.text(min_size=1, max_size=8),
    title=st.text(min_size=1, max_size=20),
    description=TEXT,
    categories=st.lists(st.text(min_size=1, max_size=10), max_size=3).map(tuple),
    price=st.none() | st.floats(0, 1e9),
    attributes=st.dictionaries(
        st.sampled_from(["brand", "year"]), st.none() | st.booleans() | st.integers() | st.floats() | TEXT
    ),
)


@given(ITEMS, TEMPLATES)
def test_a_text_is_one_line_with_single_spaces_and_never_empty(item: Item, template: str) -> None:
    text = item_text(item, template)
    assert text
    assert text == " ".join(text.split())


@given(ITEMS)
def test_a_label_stands_only_before_a_value(item: Item) -> None:
    text = item_text(item, "{title}. Brand: {attributes.brand}. Costs {price} euros.")
    assert ("Brand:" in text) == ("Brand:" in item.title or bool(str(_brand(item)).strip()))


def _brand(item: Item) -> object:
    brand = item.attributes.get("brand")
    return "" if brand is None else brand


@given(st.text(max_size=200))
def test_any_string_is_a_template_or_a_setting_error_that_names_the_setting(template: str) -> None:
    item = Item(item_id="1", title="Lamp")
    try:
        check_template(template)
    except SettingError:
        with pytest.raises(SettingError, match=r"encoder\.item_template"):
            item_text(item, template)
    else:
        assert item_text(item, template)


@pytest.mark.parametrize(
    ("template", "item", "text"),
    [
        (DEFAULT, Item(item_id="1", title="Lamp"), "Lamp"),
        (DEFAULT, Item(item_id="1", title="Lamp", description="A lamp."), "A lamp."),
        (
            DEFAULT,
            Item(item_id="1", title="Lamp", description="A\n lamp.", categories=("Home", "Light")),
            "A lamp. Categories: Home, Light.",
        ),
        (
            DEFAULT,
            Item(item_id="1", title="{price}", categories=("{title}",)),
            "{price} Categories: {title}.",
        ),
        (
            "{title} by {attributes.brand}. {price} euros.",
            Item(item_id="1", title="Lamp", price=20.0),
            "Lamp 20 euros.",
        ),
        ("{title}. Sold by us. {description}", Item(item_id="1", title="Lamp"), "Lamp. Sold by us."),
        ("Sold by us. {description}", Item(item_id="1", title="Lamp"), "Lamp"),
        ("New. Brand: {attributes.brand}. {title}", Item(item_id="1", title="Lamp"), "New. Lamp"),
        (
            "{title} ({attributes.year})",
            Item(item_id="1", title="Lamp", attributes={"year": 1998}),
            "Lamp (1998)",
        ),
        ("{title} ({attributes.year})", Item(item_id="1", title="Lamp"), "Lamp"),
        (
            "{title}. Vegan: {attributes.vegan}.",
            Item(item_id="1", title="Tea", attributes={"vegan": False}),
            "Tea. Vegan: false.",
        ),
        ("{description}", Item(item_id="i7", title=" "), "i7"),
    ],
)
def test_a_field_takes_its_words_with_it(template: str, item: Item, text: str) -> None:
    assert item_text(item, template) == text


WRONG = ["{titel}", "{attributes.}", "{title|}", "{}", "{title", "title}", "no field", ""]


@pytest.mark.parametrize("template", WRONG)
def test_a_wrong_template_is_refused_by_name(template: str) -> None:
    with pytest.raises(SettingError, match=r"encoder\.item_template"):
        check_template(template)
