"""Settings of what may be in a slate and in which order, on top of the scores."""

from pydantic import Field

from streams.settings.section import Section


class Boost(Section):
    """Items whose score is changed."""

    when: str
    """Expression over the item's fields, such as `'New' in categories`; see `workers/ranking/expressions.py`."""
    multiply: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Factor of the score. Above 1 it always raises: a negative score is divided by it."""
    add: float = Field(default=0.0, allow_inf_nan=False)
    """Added to the score, after the factor."""


class Cap(Section):
    """Most items of one kind in a slate."""

    by: str = "categories"
    """Expression that names the kind, such as `attributes.brand`; an item of several categories counts in each."""
    most: int = Field(ge=1)
    """Items of one kind that a slate may hold."""


class Pin(Section):
    """An item with a place of its own, in every slate that may hold it."""

    item_id: str = Field(min_length=1)
    """The item; it is left out where a filter removes it."""
    rank: int = Field(default=1, ge=1)
    """Its place, counted from 1."""
