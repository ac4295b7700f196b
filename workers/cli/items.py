"""`headrace items …`: the catalogue."""

from pathlib import Path
from typing import Annotated

import typer

from streams.codec import decode_item
from streams.topics import CATALOGUE
from workers.cli.lines import Tally, read_lines
from workers.cli.options import BootstrapServers, Json, broker_settings, identifiers

app = typer.Typer(help="Put items into the catalogue, or take them out.", no_args_is_help=True)


@app.command()
def load(
    source: Annotated[
        str, typer.Argument(metavar="FILE|DATASET", help="Lines of JSON items, or the name of a data set.")
    ],
    skip_bad: Annotated[bool, typer.Option(help="End with 0 although lines were bad.")] = False,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Send items to the catalogue. A bad line is named and left out; the exit code is then 1."""
    settings = broker_settings(bootstrap_servers)

    from workers.datasets import load_dataset
    from workers.publisher import Publisher, require_topic

    require_topic(settings, CATALOGUE)
    publisher, tally = Publisher(settings), Tally()
    if Path(source).is_file():
        with Path(source).open("rb") as lines:
            for item in tally.passed(read_lines(lines, decode_item)):
                publisher.item(item)
                publisher.poll()
    else:
        if source.endswith((".json", ".jsonl", ".ndjson")):
            raise typer.BadParameter(f"there is no file {source}", param_hint="FILE|DATASET")
        for item in load_dataset(source).items:
            publisher.item(item)
            publisher.poll()
    tally.report(CATALOGUE, publisher.flush(), skip_bad, as_json)


@app.command()
def delete(
    item_ids: Annotated[
        list[str], typer.Argument(metavar="ITEM_ID...", help="Items to delete.", callback=identifiers)
    ],
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Delete items; they leave every published slate."""
    settings = broker_settings(bootstrap_servers)

    from workers.publisher import Publisher, require_topic

    require_topic(settings, CATALOGUE)
    publisher = Publisher(settings)
    for item_id in item_ids:
        publisher.delete_item(item_id)
    typer.echo(f"{publisher.flush()} tombstones delivered to {CATALOGUE}.", err=True)
