"""What the operator's rules say of each item: compiled once, evaluated when an item is put, read as columns."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from streams.contracts import ItemVector
from streams.errors import SettingError
from streams.settings.ranking import RankingSettings
from workers.ranking.expressions import Expression, ExpressionError, Kind, compile_condition, compile_expression
from workers.ranking.row_lists import NOTHING, RowLists

Mask = npt.NDArray[np.bool_]
NO_GROUP = NOTHING


class Policy:
    """Columns over catalogue rows; `put` fills one row of each.

    Args:
        settings: with the expressions.

    Attributes:
        allowed: bool (rules, capacity); whether a row meets each of `settings.rules`.
        excluded: bool (capacity,); rows of `settings.excluded_items`.
        boosted: bool (boosts, capacity); which boosts a row gets.
        groups: one `RowLists` a cap, then one for `settings.variety` where it is on; numbers of the kinds that a
            row is of.

    Raises:
        SettingError: an expression is wrong; the sentence names the setting.
    """

    def __init__(self, settings: RankingSettings) -> None:
        self._rules = [_condition(text, f"ranking.rules.{place}") for place, text in enumerate(settings.rules)]
        self._boosts = [
            _condition(boost.when, f"ranking.boosts.{place}.when") for place, boost in enumerate(settings.boosts)
        ]
        self._kinds = [_kind(cap.by, f"ranking.caps.{place}.by") for place, cap in enumerate(settings.caps)]
        if settings.variety:
            self._kinds.append(_kind(settings.variety_by, "ranking.variety_by"))
        self._excluded_ids = frozenset(settings.excluded_items)
        self._numbers: list[dict[str | float | bool, int]] = [{} for _ in self._kinds]
        self.allowed: Mask = np.zeros((len(self._rules), 0), np.bool_)
        self.boosted: Mask = np.zeros((len(self._boosts), 0), np.bool_)
        self.excluded: Mask = np.zeros(0, np.bool_)
        self.groups = [RowLists() for _ in self._kinds]

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows."""
        more = capacity - len(self.excluded)
        self.allowed = np.pad(self.allowed, ((0, 0), (0, more)))
        self.boosted = np.pad(self.boosted, ((0, 0), (0, more)))
        self.excluded = np.pad(self.excluded, (0, more))
        for lists in self.groups:
            lists.grow(capacity)

    def put(self, row: int, item: ItemVector) -> None:
        """Evaluate everything for the item that has `row` from now on."""
        for place, meets in enumerate(self._rules):
            self.allowed[place, row] = meets(item)
        for place, gets in enumerate(self._boosts):
            self.boosted[place, row] = gets(item)
        self.excluded[row] = item.item_id in self._excluded_ids
        for kind, numbers, lists in zip(self._kinds, self._numbers, self.groups, strict=True):
            names = dict.fromkeys(_names(kind.evaluate(item)))
            lists.put(row, [numbers.setdefault(name, len(numbers)) for name in names])


def _names(value: object) -> tuple[str | float | bool, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, str | int | float) else ()


def _condition(text: str, setting: str) -> Callable[[ItemVector], bool]:
    try:
        return compile_condition(text)
    except ExpressionError as error:
        raise _wrong(text, setting, error) from None


def _kind(text: str, setting: str) -> Expression:
    try:
        found = compile_expression(text)
        if found.kind in (Kind.LITERALS, Kind.NOTHING):
            raise ExpressionError(f"`{text}` is the same for every item")
    except ExpressionError as error:
        raise _wrong(text, setting, error) from None
    return found


def _wrong(text: str, setting: str, error: ExpressionError) -> SettingError:
    return SettingError(
        f"Setting {setting} is wrong: `{text}`: {error}.",
        "correct the expression; workers/ranking/expressions.py describes the language.",
    )
