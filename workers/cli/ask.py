"""`headrace ask USER WORDS`: a slate now, for what somebody looks for in their own words."""

from typing import Annotated

import typer

from workers.cli.options import BootstrapServers, Json, broker_settings, identifiers, named_values


def ask(
    *,
    user: Annotated[
        str,
        typer.Argument(help="For whom; somebody who is not known gets what fits the words.", callback=identifiers),
    ],
    words: Annotated[
        list[str] | None, typer.Argument(help="What to look for; none for the ordinary slate.")
    ] = None,
    length: Annotated[int | None, typer.Option(help="Items wanted. [ranking.slate_length]")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Id of an item to leave out; several times.", callback=identifiers)
    ] = None,
    include_seen: Annotated[bool, typer.Option(help="Also items that the user has acted on.")] = False,
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Where the user is, with what, such as country=NL; several times. [as the user's events tell]",
            callback=named_values,
        ),
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")] = 10.0,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Ask for a slate and show it. Exit code 1 when no answer comes: embedding and ranking workers must run."""
    settings = broker_settings(bootstrap_servers)

    from streams.codec import encode_json
    from streams.topics import RANKING_ANSWERS
    from workers.asking import ask as answer_to
    from workers.asking import request_of
    from workers.cli.recommendations import show_items, titles_of

    request = request_of(
        user,
        " ".join(words) if words else None,
        length=length,
        exclude=tuple(exclude or ()),
        include_seen=include_seen,
        context=dict(each.split("=", 1) for each in context or ()),
    )
    answer = answer_to(settings, request, wait)
    if answer is None:
        typer.echo(
            f"No answer after {wait:g} s. The request stays in the log; when an embedding and a ranking worker "
            f"run, its answer comes on {RANKING_ANSWERS}.",
            err=True,
        )
        raise typer.Exit(1)
    if as_json:
        typer.echo(encode_json(answer))
    else:
        show_items(answer.items, titles_of(settings))
