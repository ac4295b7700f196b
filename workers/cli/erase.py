"""`headrace erase USER`: forget a user, and show the receipts."""

from datetime import timedelta
from typing import Annotated

import typer

from streams.contracts import Receipt
from workers.cli.options import BootstrapServers, Json, broker_settings, identifiers

_WORKERS = ("state", "ranking")
_DAY = timedelta(days=1)


def erase(
    user: Annotated[
        str,
        typer.Argument(
            help="Whom to forget; their own id, also where pseudonyms are in use.", callback=identifiers
        ),
    ],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the receipts.")] = 30.0,
    receipts_of: Annotated[
        list[str] | None,
        typer.Option("--receipt", help="A worker whose receipt to wait for; several times. [state, ranking]"),
    ] = None,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Forget a user. Exit code 1: receipts are missing; the request stands, and they will come."""
    settings = broker_settings(bootstrap_servers)

    from streams.codec import encode_json
    from streams.privacy.requests import await_receipts, request_erasure
    from streams.privacy.retention import kept_longer
    from streams.topics import RECEIPTS

    awaited = tuple(receipts_of or _WORKERS)
    request = request_erasure(settings, user)
    typer.echo(f"Erasure {request.erasure_id} of user {request.user_id} is requested.", err=True)
    receipts = await_receipts(settings, request, awaited, wait)
    for receipt in receipts:
        if as_json:
            typer.echo(encode_json(receipt))
        else:
            _show(receipt)
    for each in kept_longer(settings):
        kept = "for ever" if each.kept is None else f"{each.kept / _DAY:g} days"
        typer.echo(
            f"{each.topic} keeps records {kept} on this broker, and the receipt counts with "
            f"{each.said / _DAY:g} days: what it holds of the user is gone that much later.",
            err=True,
        )
    if missing := set(awaited) - {receipt.worker for receipt in receipts}:
        typer.echo(
            f"No receipt of {', '.join(sorted(missing))} after {wait:g} s. The request stays in the log; "
            f"when that worker runs, its receipt comes on {RECEIPTS}.",
            err=True,
        )
        raise typer.Exit(1)


def _show(receipt: Receipt) -> None:
    for cleared in receipt.cleared:
        typer.echo(f"{receipt.worker:<8}  cleared   {cleared.at:%Y-%m-%d %H:%M:%S}  {cleared.what}")
    for kept in receipt.retained:
        until = f"{kept.until:%Y-%m-%d}" if kept.until is not None else "no date   "
        typer.echo(f"{receipt.worker:<8}  until     {until}           {kept.what}: {kept.why}")
