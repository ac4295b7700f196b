"""Options that several commands have, and the settings that they lead to."""

from typing import Annotated

import typer

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
