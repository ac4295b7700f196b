"""Slates and actions of many users, as the log would hold them, and what the pure join makes of them."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from streams.clock import from_ms, to_ms
from streams.codec import encode_json, encode_msgpack
from streams.contracts import (
    ActionBatch,
    EventType,
    Output,
    Reason,
    Recommendation,
    RecommendedItem,
    Source,
    TrainingExample,
    UserAction,
)
from streams.contracts.recommendations import recommendation_id
from streams.contracts.users import TOPICS
from streams.feedback.attribution import acted, expired, offered
from streams.feedback.join_state import JoinState, kept, new_state, slate_of
from streams.feedback.step import At
from streams.partitioner import owner
from streams.settings.feedback import FeedbackSettings
from streams.topics import RECOMMENDATIONS, USER_ACTIONS

PARTITIONS = 4
START_MS = to_ms(datetime(2026, 1, 5, tzinfo=UTC))
SETTINGS = FeedbackSettings(window_seconds=3_600, open_slates=20)
_ITEMS = 200
_TOGETHER = 50
_SESSION = 10 * _TOGETHER
_KINDS = (EventType.VIEW, EventType.CLICK, EventType.PURCHASE, EventType.IMPRESSION)
CONTEXTS = ("NL", "DE", None, "FR")
_CODES = {kind: code for code, kind in enumerate(EventType)}
_LATER_MS = 5 * 3_600_000
FLUSH = "flush"


class Said(NamedTuple):
    """One message and the partition that it belongs to."""

    partition: int
    message: UserAction | Recommendation


def traffic(actions: int, seed: int = 7, contexts: Sequence[str | None] = (None,)) -> list[Said]:
    """Return `actions` actions, each followed by a slate, about half of them on slates.

    Fifty users act by turns, ten times each within half an hour; then come fifty others. So no user does more than
    the bounds of `SETTINGS` let the join keep, and windows end all along.

    Args:
        contexts: that the actions tell by turns.
    """
    draw = random.Random(seed)
    offsets = [0] * PARTITIONS
    slates: dict[str, list[Recommendation]] = {}
    said = []
    for number in range(actions):
        user = f"u{number // _SESSION}.{number % _TOGETHER}"
        home = owner(user.encode(), PARTITIONS)
        time_ms = START_MS + number * 1_800_000 // _SESSION
        context = contexts[number % len(contexts)]
        action = _action(user, number, time_ms, offsets[home], slates.get(user, []), draw, context)
        offsets[home] += 1
        slate = _slate(home, action, draw)
        slates.setdefault(user, []).append(slate)
        said += [Said(home, action), Said(home, slate)]
    return said


def ends(said: list[Said]) -> list[Said]:
    """Return what moves the stream time of every partition past all windows of this traffic."""
    last_ms = max(each.message.event_time_ms for each in said if isinstance(each.message, UserAction))
    found: list[Said] = []
    for number in range(10_000):
        user = f"{FLUSH}{number}"
        home = owner(user.encode(), PARTITIONS)
        if home not in {each.partition for each in found}:
            view = _CODES[EventType.VIEW]
            action = UserAction(user, view, "i0", last_ms + _LATER_MS, None, None, 0, 10**9, START_MS)
            found += [Said(home, action), Said(home, _slate(home, action, random.Random(0)))]
    return found


def records(said: list[Said], together: int = 30) -> Iterator[Output]:
    """Return the records that carry these messages, up to `together` actions in one; some users have two in it."""
    waiting: dict[int, list[UserAction]] = {}
    for partition, message in said:
        if isinstance(message, Recommendation):
            yield Output(RECOMMENDATIONS, partition, message.user_id.encode(), encode_json(message))
            continue
        actions = waiting.setdefault(partition, [])
        actions.append(message)
        if len(actions) == together:
            yield _actions(partition, waiting.pop(partition))
    for partition, actions in waiting.items():
        yield _actions(partition, actions)


def source_of(partition: int, action: UserAction) -> Source:
    """Return the clickstream record that carried this action."""
    return Source(
        topic=TOPICS[action.topic],
        partition=partition,
        offset=action.offset,
        create_time_ms=action.create_time_ms,
    )


def _actions(partition: int, actions: list[UserAction]) -> Output:
    return Output(USER_ACTIONS, partition, None, encode_msgpack(ActionBatch(1, tuple(actions))))


def expected(said: list[Said]) -> dict[str, TrainingExample]:
    """Return the examples that the pure join makes of this traffic, by id."""
    states: dict[str, JoinState] = {}
    found: list[TrainingExample] = []
    for offset, (partition, message) in enumerate(said):
        state = states.get(message.user_id) or new_state(message.user_id, partition)
        if isinstance(message, UserAction):
            step = acted(state, At(USER_ACTIONS, offset, 0), kept(message), SETTINGS)
        else:
            step = offered(state, At(RECOMMENDATIONS, offset, 0), slate_of(message), SETTINGS)
        states[message.user_id] = step.state
        found += step.examples
    for state in states.values():
        found += expired(state, START_MS + 10 * _LATER_MS * len(said), SETTINGS).examples
    by_id = {example.example_id: example for example in found}
    assert len(by_id) == len(found)
    return by_id


def _action(
    user: str,
    number: int,
    time_ms: int,
    offset: int,
    slates: list[Recommendation],
    draw: random.Random,
    context: str | None,
) -> UserAction:
    item, named = f"i{draw.randrange(_ITEMS)}", None
    if slates and draw.random() < 0.6:
        slate = draw.choice(slates[-3:])
        item = draw.choice(slate.items).item_id
        named = slate.recommendation_id if draw.random() < 0.5 else None
    kind = draw.choice(_KINDS)
    return UserAction(user, _CODES[kind], item, time_ms, None, named, 0, offset, START_MS + number, context)


def _slate(partition: int, action: UserAction, draw: random.Random) -> Recommendation:
    user, source = action.user_id, source_of(partition, action)
    model = draw.choice(["m1", "m1", "m1", "m2"])
    items = tuple(
        RecommendedItem(f"i{item}", rank, 1.0 / rank, (Reason(draw.choice(["learned", "popular"])),))
        for rank, item in enumerate(draw.sample(range(_ITEMS), 10), start=1)
    )
    moment = from_ms(action.event_time_ms)
    return Recommendation(
        recommendation_id=recommendation_id(user, source.partition, source.offset, model),
        user_id=user,
        items=items,
        caused_by=(f"e{action.offset}",),
        source=source,
        last_event_time=moment,
        generated_at=from_ms(action.event_time_ms + source.offset % 1_000),
        valid_until=moment,
        model_version=model,
        vector_offsets=(0,),
        encoder_id="e",
    )
