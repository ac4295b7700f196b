"""A small shop whose users' tastes were planted, so that a test knows what should be recommended.

Each user cares for one theme, every second one also for another. A visit is a walk through a few products:
seen, perhaps clicked, perhaps put into the cart, bought, liked or rated. Nothing else is in the data.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.contracts import Event, EventType, Item
from streams.settings.state import RatingScale
from workers.datasets.contract import Dataset, in_replay_order
from workers.datasets.themes import THEMES

NAME: Final = "sample"
USERS: Final = 120
VISITS: Final = 5
SEED: Final = 0

_NAMES: Final = tuple(THEMES)
_START: Final = datetime(2026, 3, 2, tzinfo=UTC)
_DAYS: Final = 28
_WEIGHTS: Final = {"main": 0.68, "minor": 0.20, "any": 0.12}
_ITEM_ID: Final = "{theme}-{place:02d}"


def load(seed: int = SEED) -> Dataset:
    """Return the catalogue of 160 items and about 6,000 events of 120 users; equal seeds give equal data."""
    events = in_replay_order(event for user in range(USERS) for event in _events_of(user, seed))
    return Dataset(NAME, tuple(_items()), events, RatingScale())


def planted_theme(user_id: str) -> str:
    """Return the theme that the user cares for most."""
    return _NAMES[int(user_id.removeprefix("user-")) % len(_NAMES)]


def theme_of(item_id: str) -> str:
    """Return the theme of an item, which is also its only category."""
    return item_id.partition("-")[0].capitalize()


def _minor_theme(user: int) -> str | None:
    block = user // len(_NAMES)
    return None if block % 2 else _NAMES[(user + 1 + block // 2 % (len(_NAMES) - 1)) % len(_NAMES)]


def _items() -> Iterator[Item]:
    for name, theme in THEMES.items():
        for place, title in enumerate(theme.products):
            yield Item(
                item_id=_ITEM_ID.format(theme=name.lower(), place=place),
                title=title,
                description=f"{title} for {theme.purpose}.",
                categories=(name,),
                price=round(9.5 + 7.3 * ((place * 7) % 20), 2),
            )


def _events_of(user: int, seed: int) -> Iterator[Event]:
    draw = random.Random(f"{seed}/{user}")  # one stream a user: more users change nobody's events
    user_id = f"user-{user:03d}"
    visits = sorted(_START + timedelta(days=draw.uniform(0, _DAYS)) for _ in range(VISITS))
    number = 0
    for visit, start in enumerate(visits):
        now = start.replace(microsecond=0)
        for event_type, item_id in _visit(user, draw):
            now += timedelta(seconds=draw.randint(2, 90))
            yield Event(
                event_id=f"{user_id}-{number:04d}",
                event_type=event_type,
                user_id=user_id,
                event_time=now,
                item_id=item_id,
                session_id=f"{user_id}-visit-{visit}",
                value=_rating(user_id, item_id, draw) if event_type is EventType.RATING else None,
                query=planted_theme(user_id).lower() if event_type is EventType.SEARCH else None,
            )
            number += 1


def _visit(user: int, draw: random.Random) -> Iterator[tuple[EventType, str | None]]:
    if draw.random() < 0.3:
        yield EventType.SEARCH, None
    for _ in range(draw.randint(2, 4)):
        theme = _pick_theme(user, draw)
        item_id = _pick_item(theme, draw)
        cares = theme in (_NAMES[user % len(_NAMES)], _minor_theme(user))
        yield EventType.IMPRESSION, item_id
        yield EventType.VIEW, item_id
        if draw.random() < (0.6 if cares else 0.2):
            yield EventType.CLICK, item_id
            if draw.random() < 0.4:
                yield EventType.ADD_TO_CART, item_id
                if draw.random() < 0.5:
                    yield EventType.PURCHASE, item_id
        if draw.random() < 0.2:
            yield EventType.LIKE if cares else EventType.DISLIKE, item_id
        if draw.random() < 0.15:
            yield EventType.RATING, item_id


def _pick_theme(user: int, draw: random.Random) -> str:
    main, minor = _NAMES[user % len(_NAMES)], _minor_theme(user)
    kind = draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    return draw.choice(_NAMES) if kind == "any" else minor if kind == "minor" and minor else main


def _pick_item(theme: str, draw: random.Random) -> str:
    places = range(len(THEMES[theme].products))
    place = draw.choices(places, [1 / (place + 4) for place in places])[0]  # a mild long tail
    return _ITEM_ID.format(theme=theme.lower(), place=place)


def _rating(user_id: str, item_id: str | None, draw: random.Random) -> float:
    liked = item_id is not None and theme_of(item_id) == planted_theme(user_id)
    return float(draw.choice((4, 5, 5) if liked else (1, 2, 3)))
