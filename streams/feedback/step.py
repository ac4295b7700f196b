"""What one record did to one user: the value that the join's functions pass on."""

from typing import NamedTuple

from streams.contracts import TrainingExample
from streams.feedback.examples import Offer
from streams.feedback.join_state import JoinState


class At(NamedTuple):
    """Where and when a record was read.

    Attributes:
        topic, offset: of the record, in the user's partition.
        now_ms: the partition's stream time, milliseconds since the epoch.
    """

    topic: str
    offset: int
    now_ms: int


class Outcome(NamedTuple):
    """An action that has just found its slate."""

    offer: Offer
    event_type: int


class Step(NamedTuple):
    """What one record did.

    Attributes:
        state: the same object when the record changed nothing.
        examples: of slates that were closed.
        offers: places that have just become known as offered.
        outcomes: actions that have just found their slate.
        unattributed: why actions ended without one.
        duplicate: the record said nothing new.
    """

    state: JoinState
    examples: tuple[TrainingExample, ...] = ()
    offers: tuple[Offer, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    unattributed: tuple[str, ...] = ()
    duplicate: bool = False

    def then(self, later: "Step") -> "Step":
        """Return the two steps as one; `later` began with the state of this one."""
        if not self.examples and not self.unattributed:
            return later
        return later._replace(
            examples=(*self.examples, *later.examples),
            unattributed=(*self.unattributed, *later.unattributed),
        )
