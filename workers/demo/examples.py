"""Three users in words: what they did, what they got, and why."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from streams.contracts import Event, EventType, Item, Recommendation
from workers.wording import why_words

_EXAMPLES = 3
_DEEDS = 4
_PLACES = 5
_LEAST_EVENTS = 5


def show_examples(
    console: Console, replayed: Sequence[Event], items: Sequence[Item], slates: Mapping[str, Recommendation]
) -> None:
    """Print the three users who acted last and whose slates were read."""
    titles = {item.item_id: item.title for item in items}
    for user, deeds in _chosen(replayed, slates).items():
        console.print(Text.assemble("\n", (f"User {user}", "bold"), " did"))
        for event in deeds[-_DEEDS:]:
            console.print(Text(f"    {_deed(event, titles)}"))
        console.print(Text("  and gets"))
        for place in slates[user].items[:_PLACES]:
            why = Text(", ".join(why_words(place.reasons, titles)), style="dim")
            console.print(Text.assemble(f"  {place.rank:>2}  {titles.get(place.item_id, place.item_id)}  ", why))


def _chosen(replayed: Sequence[Event], slates: Mapping[str, Recommendation]) -> dict[str, list[Event]]:
    deeds: dict[str, list[Event]] = {}
    for event in replayed:
        if event.event_type is not EventType.IMPRESSION:
            deeds.setdefault(event.user_id, []).append(event)
    known = {user: events for user, events in deeds.items() if user in slates and slates[user].items}
    telling = {user: events for user, events in known.items() if len(events) >= _LEAST_EVENTS} or known
    last = sorted(telling, key=lambda user: telling[user][-1].event_time)[-_EXAMPLES:]
    return {user: telling[user] for user in last}


def _deed(event: Event, titles: Mapping[str, str]) -> str:
    name = event.event_type.value.replace("_", " ")
    if event.item_id is None:
        return f"{name} “{event.query}”"
    value = "" if event.value is None else f" {event.value:g}"
    return f"{name}{value}  {titles.get(event.item_id, event.item_id)}"
