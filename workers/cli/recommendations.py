"""`headrace recommendations …`: the slates, as any consumer reads them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from streams.codec import UNREADABLE, decode_item, decode_recommendation
from streams.contracts import Recommendation, RecommendedItem
from streams.errors import DataError
from streams.settings import Settings
from streams.topics import CATALOGUE, RECOMMENDATIONS
from workers.cli.options import BootstrapServers, Json, broker_settings, identifiers
from workers.wording import why_words

app = typer.Typer(help="Read slates.", no_args_is_help=True)

Titles = Annotated[bool, typer.Option("--titles", help="Show titles, read from the catalogue, for item ids.")]


@app.command()
def get(
    user: Annotated[str, typer.Argument(help="Whose slate; their own id.", callback=identifiers)],
    titles: Titles = False,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show a user's newest slate and why each item is in it; exit code 1 when there is none."""
    settings = broker_settings(bootstrap_servers)

    from streams.kafka import partition_count
    from streams.partitioner import owner
    from streams.privacy.pseudonyms import known_as
    from streams.reading import read_to_end

    found: dict[bytes, bytes | None] = {}
    key = known_as(user, settings.privacy).encode()
    if partitions := partition_count(settings, RECOMMENDATIONS):
        wanted = [owner(key, partitions)]
        read_to_end(
            settings,
            RECOMMENDATIONS,
            wanted,
            lambda _, k, value: found.update({k: value} if k == key else {}),
        )
    if (newest := found.get(key)) is None:
        typer.echo(f"There is no slate for user {user}.", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(newest)
    else:
        _show(_slate(newest, user), titles_of(settings) if titles else {})


@app.command()
def tail(
    *,
    user: Annotated[
        str | None, typer.Option(help="Only this user's slates; their own id.", callback=identifiers)
    ] = None,
    from_beginning: Annotated[bool, typer.Option(help="Begin with the slates that are there.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many slates.")] = None,
    titles: Titles = False,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show slates as they are published, until Ctrl-C."""
    settings = broker_settings(bootstrap_servers)

    from streams.privacy.pseudonyms import known_as
    from workers.slates import Slates

    name = None if user is None else known_as(user, settings.privacy)
    known = titles_of(settings) if titles else {}
    slates, shown = Slates(settings, from_beginning=from_beginning), 0
    typer.echo(f"Waiting for slates on {RECOMMENDATIONS} …", err=True)
    while count is None or shown < count:
        for slate in slates.read(0.2):
            if name in (None, slate.user_id) and (count is None or shown < count):
                shown += 1
                if as_json:
                    from streams.codec import encode_json

                    typer.echo(encode_json(slate))
                else:
                    _show(slate, known)


def _slate(value: bytes, user: str) -> Recommendation:
    try:
        return decode_recommendation(value)
    except UNREADABLE as error:
        raise DataError(
            f"The newest record of user {user} on {RECOMMENDATIONS} is no slate: {error}.",
            "find out who else writes to this topic; the user's next event brings a slate.",
        ) from None


def _show(slate: Recommendation, titles: Mapping[str, str]) -> None:
    caused_by = f", because of {', '.join(slate.caused_by)}" if slate.caused_by else ""
    typer.echo(
        f"\nuser {slate.user_id}  at {slate.generated_at:%H:%M:%S}{caused_by}  (model {slate.model_version})"
    )
    show_items(slate.items, titles)


def show_items(items: Sequence[RecommendedItem], titles: Mapping[str, str]) -> None:
    """Write the places of a slate, one a line; `titles` stand for the ids that they know."""
    for place in items:
        why = ", ".join(why_words(place.reasons, titles))
        typer.echo(f"{place.rank:>3}  {place.score:>8.3f}  {titles.get(place.item_id, place.item_id)}  ({why})")


def titles_of(settings: Settings) -> dict[str, str]:
    """Return item id -> title, read from the catalogue; what is no item there is a dead letter and has none."""
    from streams.kafka import partition_count
    from streams.reading import read_to_end

    titles: dict[str, str] = {}

    def note(partition: int, key: bytes, value: bytes | None) -> None:
        with suppress(*UNREADABLE):
            if value is not None:
                item = decode_item(value)
                titles[item.item_id] = item.title

    read_to_end(settings, CATALOGUE, range(partition_count(settings, CATALOGUE)), note)
    return titles
