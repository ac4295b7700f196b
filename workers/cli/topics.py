"""`headrace topics …`: the topics that Headrace reads and writes."""

import msgspec
import typer

from workers.cli.options import BootstrapServers, Json, broker_settings

app = typer.Typer(help="Make Headrace's topics, or look at them.", no_args_is_help=True)


@app.command()
def create(as_json: Json = False, bootstrap_servers: BootstrapServers = None) -> None:
    """Make the topics that are missing."""
    settings = broker_settings(bootstrap_servers)

    from encoder.identity import encoder_id
    from streams.provision import create_topics

    made = create_topics(settings, encoder_id(settings.encoder))
    if as_json:
        typer.echo(msgspec.json.encode(made))
    else:
        typer.echo("\n".join(f"made {name}" for name in made) or "All topics are there.", err=True)


@app.command("list")
def list_topics(as_json: Json = False, bootstrap_servers: BootstrapServers = None) -> None:
    """Show every topic of Headrace as it is on the broker; 0 partitions: it is missing."""
    settings = broker_settings(bootstrap_servers)

    from encoder.identity import encoder_id
    from streams.kafka import is_embedded
    from streams.provision import describe_topics

    if is_embedded(settings):
        typer.echo("This is the embedded broker: it compacts and deletes nothing.", err=True)
    found = describe_topics(settings, encoder_id(settings.encoder))
    if as_json:
        typer.echo(msgspec.json.encode([topic._asdict() for topic in found]))
        return
    width = max(len(topic.name) for topic in found)
    for topic in found:
        typer.echo(f"{topic.name:<{width}}  {topic.partitions:>3} partitions  {topic.cleanup}")
