"""`headrace events …`: the clickstream."""

from pathlib import Path
from typing import Annotated

import typer

from streams.codec import decode_event
from streams.topics import CLICKSTREAM
from workers.cli.lines import FILE_OR_INPUT, Tally, opened, read_lines
from workers.cli.options import BootstrapServers, Json, broker_settings

app = typer.Typer(help="Send events to the clickstream.", no_args_is_help=True)


@app.callback()
def _group() -> None: ...


@app.command()
def produce(
    source: Annotated[
        Path,
        typer.Argument(metavar=FILE_OR_INPUT, help="Lines of JSON events; - is standard input."),
    ],
    skip_bad: Annotated[bool, typer.Option(help="End with 0 although lines were bad.")] = False,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Send events, as the lines come. A bad line is named and left out; the exit code is then 1."""
    settings = broker_settings(bootstrap_servers)

    from workers.publisher import Publisher, require_topic

    require_topic(settings, CLICKSTREAM)
    publisher, tally = Publisher(settings), Tally()
    with opened(source) as lines:
        for event in tally.passed(read_lines(lines, decode_event)):
            publisher.event(event)
            publisher.poll()
    tally.report(CLICKSTREAM, publisher.flush(), skip_bad, as_json)
