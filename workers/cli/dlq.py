"""`headrace dlq …`: records that could not be used, and sending them again."""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from streams.clock import from_ms
from workers.cli.options import BootstrapServers, Json, broker_settings, letter_place

if TYPE_CHECKING:
    from streams.dead_letters import Letter

app = typer.Typer(help="Dead letters: list them, show them, send them again.", no_args_is_help=True)

Topic = Annotated[str, typer.Argument(help="The topic that the records came from.")]
Reason = Annotated[str | None, typer.Option(help="Only letters with this reason, such as out_of_scale.")]
Place = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="PARTITION/OFFSET",
        help="Only the letter at this place of the DLQ.",
        callback=letter_place,
    ),
]


@app.command("list")
def list_letters(
    topic: Annotated[str | None, typer.Argument(help="Only letters of this topic.", show_default=False)] = None,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Count the letters of every topic by reason: how many wait, how many were sent again."""
    settings = broker_settings(bootstrap_servers)

    from streams.replay import lettered, letters

    topics = lettered() if topic is None else (topic,)
    rows: list[dict[str, Any]] = []
    for name in topics:
        counts: Counter[tuple[str, bool]] = Counter()
        newest: dict[str, datetime] = {}
        for letter, done in letters(settings, name):
            counts[letter.reason, done] += 1
            created = from_ms(letter.record.timestamp_ms)
            newest[letter.reason] = max(created, newest.get(letter.reason, created))
        rows += [
            {
                "topic": name,
                "reason": reason,
                "waiting": counts[reason, False],
                "replayed": counts[reason, True],
                "newest": newest[reason],
            }
            for reason in sorted(newest)
        ]
    if as_json:
        typer.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        typer.echo(
            f"{row['topic']:<24}  {row['reason']:<14}  {row['waiting']:>7} waiting  {row['replayed']:>7} replayed"
            f"  newest {row['newest']:%Y-%m-%d %H:%M:%S}"
        )
    if not rows:
        typer.echo("There are no dead letters.", err=True)


@app.command()
def show(
    topic: Topic,
    *,
    reason: Reason = None,
    place: Place = None,
    count: Annotated[int, typer.Option(min=1, help="Most letters to show.")] = 10,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show letters whole, oldest first; bytes that are no text are shown escaped, with --json in Base64."""
    settings, wanted = broker_settings(bootstrap_servers), _wanted(reason, place)

    from streams.replay import letters

    found = ((letter, done) for letter, done in letters(settings, topic) if wanted(letter))
    shown = False
    for letter, done in islice(found, count):
        shown = True
        if as_json:
            typer.echo(msgspec.json.encode(_told(letter, done)))
        else:
            _show(letter, done)
    if not shown:
        typer.echo("There are no such letters.", err=True)


@app.command()
def replay(
    topic: Topic,
    *,
    reason: Reason = None,
    place: Place = None,
    dry_run: Annotated[bool, typer.Option(help="Only say how many letters would be sent.")] = False,
    as_json: Json = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Send letters again to the topic that they came from, each once: a letter that was sent is passed over."""
    settings, wanted = broker_settings(bootstrap_servers), _wanted(reason, place)

    from streams import replay as replaying

    if dry_run:
        waiting = sum(wanted(letter) and not done for letter, done in replaying.letters(settings, topic))
        typer.echo(msgspec.json.encode({"waiting": waiting}) if as_json else f"{waiting} letters would be sent.")
        return
    did = replaying.replay(settings, topic, wanted)
    if as_json:
        typer.echo(msgspec.json.encode(did._asdict()))
    else:
        typer.echo(f"{did.sent} sent, {did.before} had been sent before, {did.superseded} are superseded.")


def _wanted(reason: str | None, place: str | None) -> "Callable[[Letter], bool]":
    def wanted(letter: "Letter") -> bool:
        return (reason is None or letter.reason == reason) and (
            place is None or place == f"{letter.record.partition}/{letter.record.offset}"
        )

    return wanted


def _show(letter: "Letter", done: bool) -> None:
    record = letter.record
    state = "sent again" if done else "waiting"
    typer.echo(f"\n{letter.place}  {state}  {letter.reason}: {letter.detail}")
    source, created = f"{letter.topic}/{letter.partition}/{letter.offset}", from_ms(record.timestamp_ms)
    typer.echo(f"  from {source} of {created:%Y-%m-%d %H:%M:%S}, sent again {letter.attempts} times before")
    typer.echo(f"  key   {_escaped(record.key)}")
    for name, value in letter.original:
        typer.echo(f"  {name}: {_escaped(value)}")
    typer.echo(f"  value {_escaped(record.value)}")


def _escaped(value: bytes | None) -> str:
    if value is None:
        return "null"
    text = value.decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _told(letter: "Letter", done: bool) -> dict[str, Any]:
    record = letter.record
    return {
        "place": letter.place,
        "replayed": done,
        "reason": letter.reason,
        "detail": letter.detail,
        "source": f"{letter.topic}/{letter.partition}/{letter.offset}",
        "attempts": letter.attempts,
        "create_time": from_ms(record.timestamp_ms),
        "key": _base64(record.key),
        "value": _base64(record.value),
        "headers": [(name, _base64(value)) for name, value in letter.original],
    }


def _base64(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()
