"""What the log must lead to, folded from it one record at a time; and the comparison with what is there.

The only place that knows how the worker folds: it runs the worker's own transform, without a broker.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.codec import decode_user_state
from streams.contracts import Record, Rejected, UserState
from streams.settings import Settings
from streams.state.transform import StateTransform
from streams.topics import REKEYED, USER_STATE

Letter = tuple[bytes | None, bytes | None]
"""Key and value."""


@dataclass
class Reference:
    """What a log leads to.

    Attributes:
        states: the newest state of every user, as `user.state.v1` should hold it.
        letters: records that cannot be used, with how often the log holds them.
        rekeyed: values that must be passed on, with how often.
    """

    states: dict[bytes, UserState] = field(default_factory=dict)
    letters: Counter[Letter] = field(default_factory=Counter)
    rekeyed: Counter[bytes | None] = field(default_factory=Counter)


def fold_log(settings: Settings, log: Iterable[Record], partitions: int) -> Reference:
    """Return what the records of the sources lead to."""
    transform = StateTransform(settings, partitions)
    transform.assigned(range(partitions))
    transform.restored(range(partitions))
    found = Reference()
    for record in log:
        message = transform.decode(record)
        if isinstance(message, Rejected):
            found.letters[record.key, record.value] += 1
            continue
        for output in transform.handle([message]):
            if output.topic == USER_STATE and output.value is not None and output.key is not None:
                found.states[output.key] = decode_user_state(output.value)
            elif output.topic == REKEYED:
                found.rekeyed[output.value] += 1
        transform.kept({})
    return found


@dataclass(frozen=True)
class Verdict:
    """How what is there differs from what must be there; all zero, and `equal`, when nothing went wrong.

    Attributes:
        lost: events that a state does not count.
        doubled: events that a state counts twice.
        letters: dead letters that are missing or too many.
        rekeyed: records passed on too seldom or too often.
        different: users whose histories differ.
    """

    events: int
    users: int
    lost: int
    doubled: int
    letters: int
    rekeyed: int
    different: tuple[bytes, ...]

    @property
    def equal(self) -> bool:
        """Whether everything is as it must be."""
        return not (self.lost or self.doubled or self.letters or self.rekeyed or self.different)


def compare(
    expected: Reference, states: Mapping[bytes, UserState], letters: Iterable[Record], rekeyed: Iterable[Record]
) -> Verdict:
    """Return how the newest states, the dead letters and the records passed on differ from `expected`."""
    users = expected.states.keys() | states.keys()
    wanted = {user: _count(expected.states.get(user)) for user in users}
    found = {user: _count(states.get(user)) for user in users}
    have = Counter((record.key, record.value) for record in letters)
    passed = Counter(record.value for record in rekeyed)
    return Verdict(
        events=sum(wanted.values()),
        users=len(users),
        lost=sum(max(0, wanted[user] - found[user]) for user in users),
        doubled=sum(max(0, found[user] - wanted[user]) for user in users),
        letters=(expected.letters - have).total() + (have - expected.letters).total(),
        rekeyed=(expected.rekeyed - passed).total() + (passed - expected.rekeyed).total(),
        different=tuple(sorted(user for user in users if _seen(expected, user) != _told(states.get(user)))),
    )


def _seen(expected: Reference, user: bytes) -> Any:
    return _told(expected.states.get(user))


def _count(state: UserState | None) -> int:
    return 0 if state is None else state.event_count


def _told(state: UserState | None) -> Any:
    """Return what does not depend on where batches end and how two topics interleave."""
    if state is None:
        return None
    return (state.user_id, state.event_count, state.last_event_time_ms, tuple(sorted(map(repr, state.history))))
