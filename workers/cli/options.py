"""Options that several commands have, and the settings that they lead to."""

import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from streams.contracts.fields import Identifier
from streams.errors import SettingError
from streams.settings import Settings, load_settings

BootstrapServers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        metavar="HOST:PORT",
        help="The Kafka to use; stronger than HEADRACE_KAFKA__BOOTSTRAP_SERVERS.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
StopAtEof = Annotated[
    bool, typer.Option("--stop-at-eof", help="Also stop when standard input ends: when its owner is gone.")
]


def identifiers(given: str | list[str] | None) -> str | list[str] | None:
    """Return an argument that is the id of a user or an item, or a list of them; a `callback` of typer.

    Raises:
        typer.BadParameter: no record could have such an id.
    """
    for each in [given] if isinstance(given, str) else given or []:
        try:
            msgspec.convert(each.encode().decode(), Identifier)
        except (msgspec.ValidationError, UnicodeEncodeError):
            raise typer.BadParameter("an id has 1 to 512 characters, in UTF-8") from None
    return given


def named_values(given: list[str] | None) -> list[str] | None:
    """Return arguments of the form NAME=VALUE; a `callback` of typer.

    Raises:
        typer.BadParameter: one has another form, or two have one name.
    """
    for each in given or ():
        # A lone surrogate stands for a byte that is no UTF-8.
        if not re.fullmatch("[^=\ud800-\udfff]+=[^\ud800-\udfff]+", each):
            raise typer.BadParameter("it is written NAME=VALUE, such as country=NL, in UTF-8")
    names = [each.partition("=")[0] for each in given or ()]
    if len(set(names)) < len(names):
        raise typer.BadParameter("a name is there twice")
    return given


def letter_place(given: str | None) -> str | None:
    """Return the place of a dead letter; a `callback` of typer.

    Raises:
        typer.BadParameter: it is none.
    """
    if given is not None and not re.fullmatch(r"[0-9]+/[0-9]+", given):
        raise typer.BadParameter("a place is PARTITION/OFFSET, such as 0/17")
    return given


def writable_file(given: Path | None) -> Path | None:
    """Return the path of a file that is written when all else is done, or `-`; a `callback` of typer.

    Raises:
        typer.BadParameter: it could not be written.
    """
    if given is None or given == Path("-"):
        return given
    folder = given.absolute().parent
    if not folder.is_dir():
        raise typer.BadParameter(f"there is no folder {folder}")
    if given.is_dir() or not os.access(given if given.exists() else folder, os.W_OK):
        raise typer.BadParameter(f"{given} cannot be written")
    return given


def settings_with(bootstrap_servers: str | None) -> Settings:
    """Return the settings of this process, the broker's address from the option if it was given."""
    if bootstrap_servers:
        return load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    return load_settings()


def broker_settings(bootstrap_servers: str | None) -> Settings:
    """Return the settings of a command that needs a broker.

    Raises:
        SettingError: none is named.
    """
    settings = settings_with(bootstrap_servers)
    if not settings.kafka.bootstrap_servers:
        raise SettingError(
            "No broker is named: setting kafka.bootstrap_servers is empty.",
            "give --bootstrap-servers HOST:PORT or set HEADRACE_KAFKA__BOOTSTRAP_SERVERS "
            "(`headrace broker` runs a small one to try things on).",
        )
    return settings
