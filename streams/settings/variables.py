"""The environment variables of the settings: what they are called, and what is wrong with those that are set."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, get_args, get_origin

from pydantic import BaseModel

from streams.errors import SettingError

PREFIX = "HEADRACE_"


class Variable(NamedTuple):
    """The environment variable of a setting.

    Attributes:
        holds_json: whether its text is JSON: that of a list, a mapping or a whole section.
        is_open: whether variables may go on behind it with names of their own: a mapping.
    """

    name: str
    holds_json: bool
    is_open: bool


def variable_of(name: str) -> str:
    """Return the environment variable of a setting such as `kafka.bootstrap_servers`."""
    return PREFIX + name.upper().replace(".", "__")


def variables(model: type[BaseModel], prefix: str = PREFIX) -> Iterator[Variable]:
    """Yield the variables of all settings under `model`, sections among them."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        is_open = any(get_origin(kind) in (dict, Mapping) for kind in kinds)
        holds_json = section or is_open or any(get_origin(kind) is tuple for kind in kinds)
        yield (variable := Variable(prefix + name.upper(), holds_json, is_open))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables(field.annotation, f"{variable.name}__")


def nearest(model: type[BaseModel], name: str) -> str:
    """Return the variable that the value of a setting came in: a part of a list has none of its own."""
    known = {variable.name for variable in variables(model)}
    parts = name.split(".")
    wider = (variable_of(".".join(parts[:count])) for count in range(len(parts), 0, -1))
    return next((variable for variable in wider if variable in known), variable_of(name))


def check_names(model: type[BaseModel], names: Iterable[str], others: tuple[str, ...]) -> None:
    """Do nothing if every name with our prefix is a setting's, in upper or lower case.

    Args:
        others: beginnings of names with our prefix that are no settings.

    Raises:
        SettingError: one is not.
    """
    known = list(variables(model))
    there = {variable.name for variable in known}
    maps = tuple(f"{variable.name}__" for variable in known if variable.is_open)
    for name in names:
        upper = name.upper()
        if upper.startswith(PREFIX) and not upper.startswith((*others, *maps)) and upper not in there:
            raise SettingError(f"{name} is no setting.", f"correct its name or unset {name}.")


def check_json(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Do nothing if every list and mapping is written as JSON.

    Raises:
        SettingError: one is not.
    """
    names = {variable.name for variable in variables(model) if variable.holds_json}
    for name, text in environment.items():
        if name.upper() in names:
            try:
                json.loads(text)
            except ValueError as error:
                raise SettingError(
                    f"{name} cannot be read as JSON: {error}.",
                    """write a list as '["a", "b"]' and a mapping as '{"a": 1}'.""",
                ) from None
