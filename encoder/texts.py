"""How an item becomes the text that is encoded.

A template is literal text with fields in braces: `{title}`, `{description}`, `{categories}`, `{price}`,
`{attributes.NAME}`. `{description|title}` is the first of them that is not empty. Each field takes the words
before it, back to the field or sentence end before, and the words after it up to the end of its sentence.
Where the field is empty, its words go with it: an item without categories does not end with "Categories: .".
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from streams.contracts.fields import Scalar
from streams.contracts.items import Item
from streams.errors import SettingError

_FIELD = re.compile(r"\{([^{}]*)\}")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?=\s|$)|(?<=\n)")
_ATTRIBUTES = "attributes."
_PLAIN = ("title", "description", "categories", "price")


@dataclass(frozen=True)
class _Phrase:
    """A field with its words, or words alone.

    Attributes:
        choices: names of fields, of which the first that is not empty counts; empty for words alone.
    """

    before: str
    choices: tuple[str, ...] = ()
    after: str = ""


def item_text(item: Item, template: str) -> str:
    """Return the text of an item: one line, single spaces, never empty.

    An item that fills no field of the template has its title as its text, or its id if the title is blank.
    Braces inside an item's own values stay as they are.

    Raises:
        SettingError: the template is wrong; `check_template` says so at start.
    """
    parts: list[str] = []
    filled = False
    for phrase in _phrases(template):
        value = next((text for name in phrase.choices if (text := _value(item, name))), "")
        if value or not phrase.choices:
            parts += (phrase.before, value, phrase.after)
            filled = filled or bool(value)
    text = _one_line("".join(parts)) if filled else ""
    return text or _one_line(item.title) or _one_line(item.item_id) or "item"


def check_template(template: str) -> None:
    """Do nothing if `template` can be used.

    Raises:
        SettingError: it has an unknown field, a lone brace or no field; it names `encoder.item_template`.
    """
    _phrases(template)


@lru_cache(maxsize=16)
def _phrases(template: str) -> tuple[_Phrase, ...]:
    words = _FIELD.split(template)
    literals, fields = words[::2], words[1::2]
    if brace := next((mark for literal in literals for mark in "{}" if mark in literal), None):
        raise _wrong(f"has a lone {brace!r}")
    if not fields:
        raise _wrong("has no field, so every item would have the same text")
    phrases = []
    alone, label = _split(literals[0], ends=-1)
    for position, field in enumerate(fields, start=1):
        phrases.append(_Phrase(alone))
        after, following = _split(literals[position], ends=1)
        if position == len(fields) and not after:
            after, following = following, ""
        phrases.append(_Phrase(label, _choices(field), after))
        alone, label = _split(following, ends=-1) if position < len(fields) else (following, "")
    phrases.append(_Phrase(alone))
    return tuple(phrase for phrase in phrases if phrase.before or phrase.choices)


def _choices(field: str) -> tuple[str, ...]:
    choices = tuple(name.strip() for name in field.split("|"))
    for name in choices:
        if name not in _PLAIN and not (name.startswith(_ATTRIBUTES) and name != _ATTRIBUTES):
            raise _wrong(f"has the unknown field {name!r}")
    return choices


def _split(words: str, ends: Literal[1, -1]) -> tuple[str, str]:
    """Return `words` up to the first (1) or last (-1) sentence end and the rest, which is all without one."""
    cuts = [match.start() for match in _SENTENCE_END.finditer(words)]
    cut = (cuts[0] if ends == 1 else cuts[-1]) if cuts else 0
    return words[:cut], words[cut:]


def _value(item: Item, name: str) -> str:
    match name:
        case "title":
            text = item.title
        case "description":
            text = item.description
        case "categories":
            text = ", ".join(filter(None, map(_one_line, item.categories)))
        case "price":
            text = _scalar(item.price)
        case _:
            text = _scalar(item.attributes.get(name.removeprefix(_ATTRIBUTES)))
    return _one_line(text)


def _scalar(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _wrong(what: str) -> SettingError:
    fields = ", ".join(f"{{{name}}}" for name in (*_PLAIN, f"{_ATTRIBUTES}NAME"))
    return SettingError(f"Setting encoder.item_template {what}.", f"write it with the fields {fields}.")
