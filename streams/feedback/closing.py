"""How slates and actions leave the state of a user: closed, dropped, crowded out."""

from collections.abc import Sequence

import msgspec

from streams.feedback.examples import examples_of
from streams.feedback.join_state import IMPRESSION, JoinState, KeptAction, OpenSlate
from streams.feedback.step import Step
from streams.settings.feedback import FeedbackSettings


def bounded(step: Step, settings: FeedbackSettings) -> Step:
    """Return the step with no more slates and actions than the settings allow."""
    while len(step.state.slates) > settings.open_slates:
        step = _closed_early(step, step.state.slates[0], settings)
    while len(step.state.actions) > settings.kept_actions:
        alone = next((each for each in step.state.actions if each.target is None), None)
        if alone is not None:
            step = dropped(step, [alone], "overflow")
            continue
        answered = {each.target for each in step.state.actions}
        step = _closed_early(step, next(s for s in step.state.slates if s.recommendation_id in answered), settings)
    return step


def closed(step: Step, slate: OpenSlate, settings: FeedbackSettings) -> Step:
    """Return the step with one slate less: its examples written, its actions used up."""
    state, name = step.state, slate.recommendation_id
    stood = slate.stood or any(each.standing == name and each.event_type != IMPRESSION for each in state.actions)
    used = list(state.aimed_at(name))
    written = examples_of(state.user_id, slate, used, stood, settings.propensity_eta)
    rest = tuple(each for each in state.slates if each is not slate)
    return step._replace(
        state=_without(msgspec.structs.replace(state, slates=rest), used),
        examples=(*step.examples, *written),
    )


def dropped(step: Step, actions: Sequence[KeptAction], reason: str | None = None) -> Step:
    """Return the step without these actions, which found no slate; `reason` None: what each of them shows."""
    if not actions:
        return step
    reasons = [
        reason or ("no_slate" if each.standing is None else "not_in_slate")
        for each in actions
        if each.event_type != IMPRESSION
    ]
    return step._replace(state=_without(step.state, actions), unattributed=(*step.unattributed, *reasons))


def _closed_early(step: Step, slate: OpenSlate, settings: FeedbackSettings) -> Step:
    """Close a slate before its window is over, and remember that, so that a mended version opens it no more."""
    step = closed(step, slate, settings)
    names = (*step.state.closed, slate.recommendation_id)[-2 * settings.open_slates :]
    return step._replace(state=msgspec.structs.replace(step.state, closed=names))


def _without(state: JoinState, actions: Sequence[KeptAction]) -> JoinState:
    """Return the state without these actions; the slates that stood then remember it."""
    if not actions:
        return state
    gone = set(map(id, actions))
    stood = {each.standing for each in actions if each.event_type != IMPRESSION}
    slates = tuple(
        msgspec.structs.replace(slate, stood=True)
        if slate.recommendation_id in stood and not slate.stood
        else slate
        for slate in state.slates
    )
    kept = tuple(each for each in state.actions if id(each) not in gone)
    return msgspec.structs.replace(state, slates=slates, actions=kept)
