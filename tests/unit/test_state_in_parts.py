"""A batch of the state worker that is folded in parts."""

import msgspec
import pytest

from streams.codec import decode_action_batch, decode_event, decode_user_state
from streams.contracts import Output, Record, UserAction, UserState
from streams.partitioner import owner
from streams.settings import load_settings
from streams.state import batch, transform
from streams.state.fold import CAUSES
from streams.topics import USER_ACTIONS, USER_STATE
from tests.unit.clicks import HOME, PARTITIONS, made, record, run

OTHER = next(name for n in range(2, 100) if owner((name := f"u{n}").encode(), PARTITIONS) == HOME)
"""A user of the same partition."""
EVENTS, IN_A_ROW = 1_200, 7


def event(number: int) -> Record:
    """Return one of a log in which two users take turns: when the one comes, the other has waited."""
    kinds = ["view", "impression", "click", "search", "rating", "like"]
    kind, user_id = kinds[number // 100 % 6], ("u1", OTHER)[number // IN_A_ROW % 2]
    made = record(number, event_type=kind, item_id=f"i{number % 70}", query="q", value=3.0, user_id=user_id)
    return msgspec.structs.replace(made, key=user_id.encode())


@pytest.mark.parametrize("fold", ["as built", "in Python"])
def test_of_a_batch_that_is_folded_in_parts_nothing_shows_but_the_newest_causes(
    fold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fold == "in Python":
        monkeypatch.setattr(transform, "Usual", None)
    monkeypatch.setattr(batch, "MOST_WAITING", 1)
    log = [event(number) for number in range(EVENTS)]
    together, one_by_one = made(load_settings()), made(load_settings())
    outputs, told = run(together, *log), [out for each in log for out in run(one_by_one, each)]
    found, last = states(outputs), states(told)
    assert {out.key for out in outputs if out.topic == USER_STATE} == found.keys() == last.keys() != set()
    for key, state in found.items():
        events = [decode_event(each.value or b"") for each in log if each.key == key]
        assert state.caused_by == tuple(each.event_id for each in events[-CAUSES:])
        assert msgspec.structs.replace(state, caused_by=()) == msgspec.structs.replace(last[key], caused_by=())
        assert [act for act in acts(outputs) if act.user_id.encode() == key] == [
            act for act in acts(told) if act.user_id.encode() == key
        ]


def states(outputs: list[Output]) -> dict[bytes, UserState]:
    """Return each user's last state."""
    return {out.key or b"": decode_user_state(out.value or b"") for out in outputs if out.topic == USER_STATE}


def acts(outputs: list[Output]) -> list[UserAction]:
    batches = [decode_action_batch(out.value or b"") for out in outputs if out.topic == USER_ACTIONS]
    return [act for each in batches for act in each.actions]
