"""`headrace explain USER`: why a user's slate is as it is."""

from typing import Annotated, Any

import typer

from workers.cli.options import BootstrapServers, Json, broker_settings, identifiers


def explain(
    user: Annotated[str, typer.Argument(help="Whose newest slate; their own id.", callback=identifiers)],
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show what each score of a user's slate is made of, and which of the user's own events moved it most.

    Each event is dropped in turn and the slate is scored again: what it counts for is what the score loses. Reads
    whole topics, so it takes as long as the start of a ranking worker. Exit code 1 when there is no slate.
    """
    settings = broker_settings(bootstrap_servers)

    from streams.codec import encode_json
    from workers.explaining import explain_user

    told = explain_user(settings, user)
    if told is None:
        typer.echo(f"There is no slate for user {user}.", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(encode_json(told))
    else:
        _show(told)


def _show(told: dict[str, Any]) -> None:
    typer.echo(
        f"\nuser {told['user_id']}  at {told['generated_at']}  (model {told['model_version']}, "
        f"{told['known_events']} events, {told['newest_session_events']} of them in the newest "
        f"of {told['sessions']} sessions)"
    )
    if not told["as_published"]:
        typer.echo("The user has acted since, or the model is another: these are the scores as they are now.")
    for place in told["items"]:
        parts = " + ".join(f"{name} {value:.3f}" for name, value in place["parts"].items())
        typer.echo(f"\n{place['rank']:>3}  {place['score']:>8.3f}  {place['title']}  ({', '.join(place['why'])})")
        typer.echo(f"     = {parts or 'nothing'}")
        for event in place["events"]:
            typer.echo(f"     {event['change']:>+8.3f}  {event['words']}")
