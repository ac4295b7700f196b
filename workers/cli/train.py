"""`headrace train`: a new model for the ranking workers."""

from typing import Annotated

import typer

from workers.cli.options import BootstrapServers, Json, broker_settings


def train(
    dataset: Annotated[
        str,
        typer.Option(
            help="What to learn from: a data set's name, a folder, Parquet files (one or a folder of them), or "
            "`clickstream`: what the broker still keeps."
        ),
    ] = "movielens-100k",
    events_before: Annotated[
        int, typer.Option(metavar="N", min=0, help="Leave out the newest N events, as a replay of N does.")
    ] = 0,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Train on a data set and the broker's item vectors, then announce the model as champion."""
    settings = broker_settings(bootstrap_servers)

    from streams.codec import encode_json
    from streams.kafka import is_embedded
    from workers.demo.console import Screen
    from workers.train import train_and_announce
    from workers.training_data import training_events

    if is_embedded(settings):  # asks the broker, before the data set is downloaded
        typer.echo("This is the embedded broker: it forgets the announcement when it ends.", err=True)
    events = training_events(dataset, settings, events_before)
    with Screen().bar("epochs", settings.training.most_epochs, lambda: None) as advance:
        model = train_and_announce(settings, events, lambda epoch: advance(epoch.number))
    if as_json:
        typer.echo(encode_json(model))
    else:
        typer.echo(f"Announced {model.name}/{model.version} as champion: {model.uri}", err=True)
