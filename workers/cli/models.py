"""`headrace models …`: which models were trained, and which of them serves."""

from typing import Annotated

import msgspec
import typer

from workers.cli.options import BootstrapServers, Json, broker_settings

app = typer.Typer(help="List trained models, and choose the one that serves.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: Json = False, bootstrap_servers: BootstrapServers = None) -> None:
    """Show every announced version of the model, the newest last, and which one is to serve."""
    settings = broker_settings(bootstrap_servers)

    from workers.announcing import announcements

    found = announcements(settings)
    champion = found.champion
    versions = sorted(found.versions.values(), key=lambda version: version.created_at)
    if as_json:
        rows = [msgspec.structs.asdict(version) | {"serves": version == champion} for version in versions]
        typer.echo(msgspec.json.encode(rows))
        return
    for version in versions:
        mark = "serves" if version == champion else ""
        measured = version.metrics.get("validation_ndcg_at_10")
        ndcg = "" if measured is None else f"NDCG@10 {measured:.4f}"
        typer.echo(
            f"{version.version}  {version.created_at:%Y-%m-%d %H:%M:%S}  {mark:<6}  {ndcg:<14}  {version.uri}"
        )
    if not versions:
        typer.echo(f"No model {settings.ranking.model_name} is announced; run `headrace train`.", err=True)


@app.command()
def serve(
    version: Annotated[str, typer.Argument(help="As `headrace models list` shows it.")],
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Let an announced version serve: an earlier one, or one again that workers had refused."""
    settings = broker_settings(bootstrap_servers)

    from workers.announcing import serve as announce_again

    chosen = announce_again(settings, version)
    typer.echo(f"Announced {chosen.name}/{chosen.version} as champion: {chosen.uri}", err=True)
