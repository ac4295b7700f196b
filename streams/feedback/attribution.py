"""`offered`, `acted`, `expired`: the join of slates and actions of one user, pure and total.

An action answers one slate, or none:

| the action | answers |
|---|---|
| names a `recommendation_id` | that slate, when it is open, holds the item, and was made at most a window before |
| names none | of the open slates that came before it and hold its item, the newest |

"Before" is both: not later in the user's time, at most `window_seconds`; and earlier in the log, so that the slate
that an action caused is not answered by it.

| what may go wrong | what is done |
|---|---|
| a slate is read again | its offset was applied: nothing, counted as duplicate |
| an action is read again, or stands at another offset | its clickstream record was applied: the same |
| the same slate again, perhaps mended after an item was withdrawn | its new items are added, the old ones stay |
| the action comes before its slate | it is kept, and finds the slate when that comes |
| the slate never comes | the action waits for a window, then ends as unattributed, `no_slate` |
| slates stood, none held the item | the same, as `not_in_slate` |
| the action is older than stream time by more than a window | unattributed, `late` |
| the slate is, or it was closed before | nobody can answer it any more: nothing |
| no room for one more slate | the oldest is closed early |
| no room for one more action | the oldest without a slate ends, `overflow`; else an answered slate closes |
| the user never acts while a slate stands | it was offered to nobody: no example |
| the user is erased | everything is forgotten; what comes later is a new user's |

A slate is closed once, and its examples are written then: function of the slates and actions of the user as
sets, whatever order they came in (as long as both fit into their bounds).
"""

from collections.abc import Iterable, Sequence

import msgspec

from streams.contracts.learning import Evidence
from streams.feedback.aiming import aimed
from streams.feedback.closing import bounded, closed, dropped
from streams.feedback.examples import Offer
from streams.feedback.join_state import IMPRESSION, RETRACTED, JoinState, KeptAction, OpenSlate, Place
from streams.feedback.step import At, Outcome, Step
from streams.settings.feedback import FeedbackSettings

MOST_PLACES = 1_000
"""Of one slate, with what was added when it was mended."""


def offered(state: JoinState, at: At, slate: OpenSlate, settings: FeedbackSettings) -> Step:
    """Return the step of a slate that was published; what is over by then ends first."""
    if at.offset <= state.applied.get(at.topic, -1):
        return Step(state, duplicate=True)
    before = expired(state, at.now_ms, settings)
    return before.then(_offered(_applied(before.state, at), slate, settings))


def acted(state: JoinState, at: At, action: KeptAction, settings: FeedbackSettings) -> Step:
    """Return the step of something that the user did; what is over by then ends first.

    A record holds many actions, so its own offset does not tell which of them are applied. The clickstream's does:
    actions of a user come in the order of the clickstream.
    """
    if action.offset <= state.applied.get(action.topic, -1):
        return Step(state, duplicate=True)
    before = expired(state, at.now_ms, settings)
    return before.then(_acted(_applied(before.state, at), action, settings))


def expired(state: JoinState, now_ms: int, settings: FeedbackSettings) -> Step:
    """Return the step of time alone: slates whose window is over are closed, actions too old are dropped."""
    oldest_ms = now_ms - _window_ms(settings)
    if state.empty or deadline_ms(state, settings) >= now_ms:
        return Step(state)
    step = Step(msgspec.structs.replace(state, stream_time_ms=max(state.stream_time_ms, now_ms)))
    while step.state.slates and step.state.slates[0].time_ms < oldest_ms:
        step = closed(step, step.state.slates[0], settings)
    return dropped(step, [each for each in step.state.actions if each.target is None and each.time_ms < oldest_ms])


def deadline_ms(state: JoinState, settings: FeedbackSettings) -> int:
    """Return the stream time after which `expired` has something to do; for an empty state, when it may go."""
    times = [slate.time_ms for slate in state.slates]
    times += [action.time_ms for action in state.actions if action.target is None]
    return min(times, default=state.stream_time_ms) + _window_ms(settings)


def _offered(state: JoinState, slate: OpenSlate, settings: FeedbackSettings) -> Step:
    if slate.time_ms + _window_ms(settings) < state.stream_time_ms or slate.recommendation_id in state.closed:
        return Step(state)
    known = state.slate(slate.recommendation_id)
    if known is None:
        slates = (*state.slates, slate)
    else:
        merged = _merged(known, slate)
        if merged is known:
            return Step(state, duplicate=True)
        slates = tuple(merged if each is known else each for each in state.slates)
    slates = tuple(sorted(slates, key=lambda each: each.age_key))
    # In order, no action that is here is as late as the new slate.
    actions = tuple(
        aimed(each, slates, _window_ms(settings))
        if each.time_ms >= slate.time_ms or each.recommendation_id
        else each
        for each in state.actions
    )
    moved = [(old, new) for old, new in zip(state.actions, actions, strict=True) if new is not old]
    found = [new for old, new in moved if old.target is None and new.target is not None]
    after = msgspec.structs.replace(state, slates=slates, actions=actions)
    return bounded(_counted(after, found, [new for _, new in moved]), settings)


def _acted(state: JoinState, action: KeptAction, settings: FeedbackSettings) -> Step:
    state.applied[action.topic] = action.offset
    if action.time_ms + _window_ms(settings) < state.stream_time_ms:
        return Step(state, unattributed=() if action.event_type == IMPRESSION else ("late",))
    action = aimed(action, state.slates, _window_ms(settings))
    if _repeated_impression(action, state.actions):
        return Step(state)
    after = msgspec.structs.replace(state, actions=(*state.actions, action))
    return bounded(_counted(after, [action] if action.target else [], [action]), settings)


def _counted(state: JoinState, found: Sequence[KeptAction], looked: Sequence[KeptAction]) -> Step:
    """Return the step with what metrics may count now: targets just found, slates that just began to stand."""
    offers: list[Offer] = []
    outcomes: list[Outcome] = []
    counted = set()
    for action in looked:
        standing = state.slate(action.standing)
        if action.event_type == IMPRESSION or standing is None or standing.counted:
            continue
        if standing.recommendation_id not in counted and not _shown(state, standing):
            counted.add(standing.recommendation_id)
            offers += [Offer(standing.model_version, place, "slate") for place in standing.places]
    for action in found:
        slate = state.slate(action.target)
        place = slate.place_of(action.item_id) if slate is not None else None
        if slate is None or place is None:
            continue
        if action.event_type == IMPRESSION:
            offers.append(Offer(slate.model_version, place, "impression"))
        elif action.event_type not in RETRACTED:
            evidence: Evidence = "impression" if place.item_id in _shown(state, slate) else "slate"
            outcomes.append(Outcome(Offer(slate.model_version, place, evidence), action.event_type))
    if counted:
        slates = tuple(
            msgspec.structs.replace(slate, counted=True) if slate.recommendation_id in counted else slate
            for slate in state.slates
        )
        state = msgspec.structs.replace(state, slates=slates)
    return Step(state, offers=tuple(offers), outcomes=tuple(outcomes))


def _shown(state: JoinState, slate: OpenSlate) -> frozenset[str]:
    aimed = state.aimed_at(slate.recommendation_id)
    return frozenset(action.item_id for action in aimed if action.event_type == IMPRESSION)


def _repeated_impression(action: KeptAction, others: Iterable[KeptAction]) -> bool:
    if action.event_type != IMPRESSION or action.recommendation_id is None:
        return False
    name = (IMPRESSION, action.item_id, action.recommendation_id)
    return any((each.event_type, each.item_id, each.recommendation_id) == name for each in others)


def _merged(known: OpenSlate, again: OpenSlate) -> OpenSlate:
    held = {place.item_id for place in known.places}
    new: list[Place] = [place for place in again.places if place.item_id not in held]
    new = new[: max(0, MOST_PLACES - len(known.places))]
    return msgspec.structs.replace(known, places=(*known.places, *new)) if new else known


def _applied(state: JoinState, at: At) -> JoinState:
    return msgspec.structs.replace(
        state,
        applied={**state.applied, at.topic: at.offset},
        stream_time_ms=max(state.stream_time_ms, at.now_ms),
    )


def _window_ms(settings: FeedbackSettings) -> int:
    return int(settings.window_seconds * 1000)
