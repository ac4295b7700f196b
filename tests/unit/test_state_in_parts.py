"""A batch of the state worker that is folded in parts."""

import msgspec
import pytest

from streams.codec import decode_action_batch, decode_user_state
from streams.contracts import Output, UserAction
from streams.settings import load_settings
from streams.state import transform
from streams.state.compiled import SETTLED_RECORDS
from streams.topics import USER_ACTIONS, USER_STATE
from tests.unit.clicks import made, record, run


@pytest.mark.parametrize("fold", ["as built", "in Python"])
def test_of_a_batch_that_is_folded_in_parts_nothing_shows_but_the_newest_causes(
    fold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fold == "in Python":
        monkeypatch.setattr(transform, "Usual", None)
    count = min(SETTLED_RECORDS, 1_000) * 2 + 10
    kinds = ["view", "impression", "click", "search", "rating", "like"]
    log = [
        record(n, event_type=kinds[n // 100 % 6], item_id=f"i{n % 70}", query="q", value=3.0) for n in range(count)
    ]
    together, one_by_one = made(load_settings()), made(load_settings())
    outputs, told = run(together, *log), [out for each in log for out in run(one_by_one, each)]
    (found,) = (decode_user_state(out.value or b"") for out in outputs if out.topic == USER_STATE)
    *_, last = (decode_user_state(out.value or b"") for out in told if out.topic == USER_STATE)
    assert found.caused_by == tuple(f"e{n}" for n in range(count - 20, count))
    assert msgspec.structs.replace(found, caused_by=()) == msgspec.structs.replace(last, caused_by=())
    assert acts(outputs) == acts(told)


def acts(outputs: list[Output]) -> list[UserAction]:
    batches = [decode_action_batch(out.value or b"") for out in outputs if out.topic == USER_ACTIONS]
    return [act for each in batches for act in each.actions]
