"""The `headrace` command and what all its commands share."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from streams.errors import Fatal, HeadraceError
from workers.cli import (
    ask,
    broker,
    demo,
    dlq,
    doctor,
    erase,
    evaluate,
    events,
    explain,
    items,
    models,
    recommendations,
    topics,
    train,
    worker,
)
from workers.cli.options import BootstrapServers
from workers.telemetry import configure_command

TRANSIENT_EXIT = 5
INTERRUPTED_EXIT = 130

app = typer.Typer(
    name="headrace",
    help="Real-time recommendations from a clickstream: events in on Kafka, slates out on Kafka.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("broker")(broker.broker)
app.command("worker")(worker.worker)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("erase")(erase.erase)
app.command("explain")(explain.explain)
app.command("ask")(ask.ask)
app.add_typer(topics.app, name="topics")
app.add_typer(items.app, name="items")
app.add_typer(events.app, name="events")
app.add_typer(recommendations.app, name="recommendations")
app.add_typer(models.app, name="models")
app.add_typer(dlq.app, name="dlq")


def main() -> None:
    """Run the command line; an error of somebody's making is one sentence, not a traceback."""
    try:
        app(prog_name="headrace")
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error}\n")
        sys.exit(exit_code(error))
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(f"headrace: {error.filename} cannot be used: {error.strerror}.\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED_EXIT)


def exit_code(error: HeadraceError) -> int:
    """Return the exit code that belongs to an error."""
    return error.exit_code if isinstance(error, Fatal) else TRANSIENT_EXIT


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"headrace {version('headrace')}")
        except PackageNotFoundError:
            typer.echo("headrace (not installed)")
        raise typer.Exit


@app.callback()
def _everywhere(
    bootstrap_servers: BootstrapServers = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="PATH", exists=True, dir_okay=False, help="YAML file of settings."),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    configure_command()
    # The environment is where settings come from, here and in the processes that `demo` starts.
    if bootstrap_servers:
        os.environ["HEADRACE_KAFKA__BOOTSTRAP_SERVERS"] = bootstrap_servers
    if config:
        os.environ["HEADRACE_CONFIG"] = str(config.resolve())
