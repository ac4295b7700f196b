"""From a closed slate and the actions that answered it to labelled examples.

- With impressions, the examples are the places that were on the screen (`evidence` "impression", propensity 1)
  and those that were acted on without one.
- Without, they are all places of a slate that stood while the user acted (`evidence` "slate"). Nobody knows
  whether the user looked that far: the *position-based model* (Craswell et al., WSDM 2008) with
  examination (1 / position)^eta gives the propensity, so that training may weigh an outcome by its inverse.
- A slate that never stood while the user acted was offered to nobody and makes no example.
"""

from collections.abc import Sequence
from typing import NamedTuple

from streams.codec import SCHEMA_VERSION
from streams.contracts import TrainingExample
from streams.contracts.learning import Evidence, example_id
from streams.feedback.join_state import IMPRESSION, KeptAction, OpenSlate, Place


class Offer(NamedTuple):
    """A place that a user was offered."""

    model_version: str
    place: Place
    evidence: Evidence


def propensity(position: int, evidence: Evidence, eta: float) -> float:
    """Return the probability that the user looked at this position, above 0 and at most 1."""
    return 1.0 if evidence == "impression" else float(position**-eta)


def examples_of(
    user_id: str, slate: OpenSlate, actions: Sequence[KeptAction], stood: bool, eta: float
) -> list[TrainingExample]:
    """Return the examples of a slate, by position.

    Args:
        actions: those that answer this slate.
        stood: the user acted while this slate was the newest.
        eta: of `propensity`.
    """
    by_item: dict[str, list[KeptAction]] = {}
    for action in sorted(actions, key=lambda each: (each.time_ms, each.topic, each.offset)):
        by_item.setdefault(action.item_id, []).append(action)
    seen = any(action.event_type == IMPRESSION for action in actions)
    if not seen and not stood and not actions:
        return []
    places = [place for place in slate.places if place.item_id in by_item or not seen]
    return [_example(user_id, slate, place, by_item.get(place.item_id, ()), eta) for place in places]


def _example(
    user_id: str, slate: OpenSlate, place: Place, actions: Sequence[KeptAction], eta: float
) -> TrainingExample:
    shown = [action for action in actions if action.event_type == IMPRESSION]
    done = [action for action in actions if action.event_type != IMPRESSION]
    outcomes: dict[int, int] = {}
    for action in done:
        outcomes[action.event_type] = outcomes.get(action.event_type, 0) + 1
    evidence: Evidence = "impression" if shown else "slate"
    return TrainingExample(
        schema_version=SCHEMA_VERSION,
        example_id=example_id(slate.recommendation_id, place.item_id),
        user_id=user_id,
        recommendation_id=slate.recommendation_id,
        item_id=place.item_id,
        position=place.position,
        outcomes=dict(sorted(outcomes.items())),
        value=next((action.value for action in reversed(done) if action.value is not None), None),
        model_version=slate.model_version,
        sources=place.sources,
        propensity=propensity(place.position, evidence, eta),
        evidence=evidence,
        slate_time_ms=slate.time_ms,
        exposure_time_ms=shown[0].time_ms if shown else slate.time_ms,
        outcome_time_ms=done[0].time_ms if done else None,
    )
