"""Expressions over an item's fields, such as `price <= 50 and 'Horror' not in categories`.

The syntax is Python's, the meaning is ours: an expression is parsed, checked against the fields and their kinds,
and turned into closures. Nothing of it is ever given to `eval`, so it can neither call nor reach anything else.

    fields      item_id, title (text), categories (texts), price (number), available (boolean),
                attributes['name'] or attributes.name (of any kind; the catalogue's open map)
    literals    'text', 12, 1.5, True, False, None, and lists or tuples of them
    operators   and or not   < <= > >= == != (chains too)   in, not in   is None, is not None   + - * /
    functions   lower(text), len(text or texts)

A comparison with something that is not there (no price, no such attribute, another kind of value) is false.
"""

import ast
import operator
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final, NamedTuple

from streams.contracts import ItemVector

Value = Any
Evaluate = Callable[[ItemVector], Value]


class Kind(StrEnum):
    """What an expression yields."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXTS = "texts"
    LITERALS = "a list"
    NOTHING = "nothing"
    ANY = "any"


class Expression(NamedTuple):
    """A checked expression: `evaluate` takes an item and raises nothing."""

    kind: Kind
    evaluate: Evaluate


class ExpressionError(ValueError):
    """The text is no expression over an item's fields; the message says what is wrong with it."""


_FIELDS: Final[dict[str, Expression]] = {
    "item_id": Expression(Kind.TEXT, operator.attrgetter("item_id")),
    "title": Expression(Kind.TEXT, operator.attrgetter("title")),
    "categories": Expression(Kind.TEXTS, operator.attrgetter("categories")),
    "price": Expression(Kind.NUMBER, operator.attrgetter("price")),
    "available": Expression(Kind.BOOLEAN, operator.attrgetter("available")),
}
_ORDER: Final[dict[type[ast.AST], Callable[[Value, Value], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EQUALITY: Final[dict[type[ast.AST], Callable[[Value, Value], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: Final[dict[type[ast.AST], Callable[[Value, Value], Value]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LITERALS: Final[tuple[tuple[Any, Kind], ...]] = (
    (type(None), Kind.NOTHING),
    (bool, Kind.BOOLEAN),  # before numbers: True is one of them
    (int | float, Kind.NUMBER),
    (str, Kind.TEXT),
)
_NUMBERS: Final = {Kind.NUMBER, Kind.ANY}
_TEXT: Final = {Kind.TEXT, Kind.ANY}
_MOST_CHARACTERS: Final = 2_000


def compile_expression(text: str) -> Expression:
    """Return the checked expression.

    Raises:
        ExpressionError: a syntax error, an unknown field or function, or kinds that do not go together.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ExpressionError(f"it is longer than {_MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _compile(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"it cannot be read ({getattr(error, 'msg', error)})") from None


def compile_condition(text: str) -> Callable[[ItemVector], bool]:
    """Return the expression as a condition.

    Raises:
        ExpressionError: as `compile_expression`, or it yields neither true nor false.
    """
    return _condition(compile_expression(text), text)


def _compile(node: ast.expr) -> Expression:
    return _COMPILERS.get(type(node), _unknown)(node)


def _unknown(node: ast.expr) -> Expression:
    raise ExpressionError(f"`{ast.unparse(node)}` is not part of the language")


def _name(node: ast.expr) -> Expression:
    """Compile a field: a name, `attributes.name` or `attributes['name']`."""
    match node:
        case ast.Name(id=name):
            return _field(name)
        case ast.Subscript(value=ast.Name(id="attributes"), slice=ast.Constant(value=str(name))):
            return _attribute(name)
        case ast.Attribute(value=ast.Name(id="attributes"), attr=name):
            return _attribute(name)
    return _unknown(node)


def _operation(node: ast.expr) -> Expression:
    """Compile `and`, `or`, `not` and arithmetic."""
    match node:
        case ast.BoolOp(op=op, values=values):
            return _logic(
                isinstance(op, ast.And), [_condition(_compile(part), ast.unparse(part)) for part in values]
            )
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            condition = _condition(_compile(inner), ast.unparse(inner))
            return Expression(Kind.BOOLEAN, lambda item: not condition(item))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _arithmetic(operator.sub, Expression(Kind.NUMBER, lambda _: 0), _compile(inner), node)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
            return _arithmetic(_ARITHMETIC[type(op)], _compile(left), _compile(right), node)
    return _unknown(node)


def _comparison(node: ast.expr) -> Expression:
    """Compile a comparison, or a chain of them."""
    if not isinstance(node, ast.Compare):
        return _unknown(node)
    sides = [_compile(part) for part in (node.left, *node.comparators)]
    steps = [_compare(op, *pair, node) for op, pair in zip(node.ops, pairwise(sides), strict=True)]
    return steps[0] if len(steps) == 1 else _logic(True, [step.evaluate for step in steps])


def _field(name: str) -> Expression:
    if name not in _FIELDS:
        known = ", ".join((*_FIELDS, "attributes['name']"))
        raise ExpressionError(f"there is no field `{name}`; an item has {known}")
    return _FIELDS[name]


def _attribute(name: str) -> Expression:
    return Expression(Kind.ANY, lambda item: item.attributes.get(name))


def _literal(node: ast.expr) -> Expression:
    value = node.value if isinstance(node, ast.Constant) else None
    for types, kind in _LITERALS:
        if isinstance(value, types):
            return Expression(kind, lambda _: value)
    raise ExpressionError(f"`{value!r}` is neither text nor number")


def _literals(node: ast.expr) -> Expression:
    parts = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    if not all(isinstance(part, ast.Constant) and isinstance(part.value, str | int | float) for part in parts):
        raise ExpressionError("a list may hold texts and numbers only")
    values = tuple(part.value for part in parts if isinstance(part, ast.Constant))
    return Expression(Kind.LITERALS, lambda _: values)


def _logic(every: bool, conditions: list[Evaluate]) -> Expression:
    if every:
        return Expression(Kind.BOOLEAN, lambda item: all(condition(item) for condition in conditions))
    return Expression(Kind.BOOLEAN, lambda item: any(condition(item) for condition in conditions))


def _condition(expression: Expression, text: str) -> Callable[[ItemVector], bool]:
    evaluate = expression.evaluate
    if expression.kind is Kind.BOOLEAN:
        return evaluate
    if expression.kind is Kind.ANY:
        return lambda item: evaluate(item) is True
    raise ExpressionError(f"`{text}` is {expression.kind}, not true or false")


def _arithmetic(
    apply: Callable[[Value, Value], Value], left: Expression, right: Expression, node: ast.expr
) -> Expression:
    if not {left.kind, right.kind} <= _NUMBERS:
        raise ExpressionError(f"`{ast.unparse(node)}` calculates with {left.kind} and {right.kind}")

    def evaluate(item: ItemVector) -> Value:
        one, other = left.evaluate(item), right.evaluate(item)
        if not (_is_number(one) and _is_number(other)):
            return None
        try:
            return apply(one, other)
        except (ArithmeticError, OverflowError):
            return None

    return Expression(Kind.NUMBER, evaluate)


def _compare(op: ast.cmpop, left: Expression, right: Expression, node: ast.expr) -> Expression:
    if isinstance(op, ast.In | ast.NotIn):
        return _membership(isinstance(op, ast.In), left, right, node)
    if isinstance(op, ast.Is | ast.IsNot):
        if right.kind is not Kind.NOTHING:
            raise ExpressionError(f"`{ast.unparse(node)}`: `is` compares with None only")
        wanted = isinstance(op, ast.Is)
        return Expression(Kind.BOOLEAN, lambda item: (left.evaluate(item) is None) is wanted)
    kinds = {left.kind, right.kind} - {Kind.ANY}
    apply = _ORDER.get(type(op)) or _EQUALITY[type(op)]
    comparable = {Kind.NUMBER, Kind.TEXT} if type(op) in _ORDER else {Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN}
    if len(kinds) > 1 or not kinds <= comparable:
        raise ExpressionError(f"`{ast.unparse(node)}` compares {left.kind} with {right.kind}")

    def evaluate(item: ItemVector) -> bool:
        one, other = left.evaluate(item), right.evaluate(item)
        return _same_kind(one, other) and bool(apply(one, other))

    return Expression(Kind.BOOLEAN, evaluate)


def _membership(wanted: bool, left: Expression, right: Expression, node: ast.expr) -> Expression:
    in_text = right.kind in _TEXT and left.kind in _TEXT
    in_texts = right.kind is Kind.TEXTS and left.kind in _TEXT
    in_literals = right.kind is Kind.LITERALS and left.kind in {Kind.TEXT, Kind.NUMBER, Kind.ANY}
    if not (in_text or in_texts or in_literals):
        raise ExpressionError(f"`{ast.unparse(node)}` looks for {left.kind} in {right.kind}")

    def evaluate(item: ItemVector) -> bool:
        one, other = left.evaluate(item), right.evaluate(item)
        if one is None or other is None or (isinstance(other, str) and not isinstance(one, str)):
            return False
        return isinstance(other, str | tuple) and (one in other) is wanted

    return Expression(Kind.BOOLEAN, evaluate)


def _call(node: ast.expr) -> Expression:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]):
            argument = _compile(inner)
            if name == "lower" and argument.kind in _TEXT:
                return Expression(Kind.TEXT, lambda item: _lowered(argument.evaluate(item)))
            if name == "len" and argument.kind in {Kind.TEXT, Kind.TEXTS}:
                return Expression(Kind.NUMBER, lambda item: len(argument.evaluate(item)))
    raise ExpressionError(f"`{ast.unparse(node)}`: there are lower(text) and len(text or texts)")


def _lowered(value: Value) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_kind(one: Value, other: Value) -> bool:
    if _is_number(one) or _is_number(other):
        return _is_number(one) and _is_number(other)
    return one is not None and type(one) is type(other)


_COMPILERS: Final[dict[type[ast.expr], Callable[[ast.expr], Expression]]] = {
    ast.Constant: _literal,
    ast.List: _literals,
    ast.Tuple: _literals,
    ast.Name: _name,
    ast.Subscript: _name,
    ast.Attribute: _name,
    ast.BoolOp: _operation,
    ast.UnaryOp: _operation,
    ast.BinOp: _operation,
    ast.Compare: _comparison,
    ast.Call: _call,
}
