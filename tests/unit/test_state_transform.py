"""The state worker's transform, without a broker: a store that is open, records in, records out."""

from datetime import UTC, datetime

import msgspec
import pytest

from streams.codec import decode_action_batch, decode_receipt, decode_user_state
from streams.contracts import EventType, Record, Rejected
from streams.dead_letters import dead_letter
from streams.errors import BrokerError, DataError
from streams.partitioner import owner
from streams.privacy.receipts import ERASURE_HEADER
from streams.settings import Settings, load_settings
from streams.state import transform as worker
from streams.state.transform import StateTransform
from streams.topics import (
    CLICKSTREAM,
    ERASURES,
    RECEIPTS,
    REKEYED,
    USER_ACTIONS,
    USER_STATE,
    dead_letters,
)
from tests.unit.clicks import CREATED_MS, HOME, NOW, PARTITIONS, erasure, made, record, run


@pytest.fixture(autouse=True, params=["as built", "in Python"])
def _fold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in Python":
        monkeypatch.setattr(worker, "Usual", None)


@pytest.fixture
def transform() -> StateTransform:
    return made(load_settings(state={"feedback": False}))


def test_a_user_is_published_once_a_batch_with_all_its_causes(transform: StateTransform) -> None:
    outputs = run(transform, record(0), record(1), record(2))
    assert [(out.topic, out.partition, out.key) for out in outputs] == [(USER_STATE, HOME, b"u1")]
    state = decode_user_state(outputs[0].value or b"")
    assert state.caused_by == ("e0", "e1", "e2")
    assert (state.source.topic, state.source.partition, state.source.offset) == (CLICKSTREAM, HOME, 2)
    assert state.source.create_time_ms == CREATED_MS


def test_a_replayed_batch_publishes_nothing(transform: StateTransform) -> None:
    batch = [record(0), record(1)]
    assert run(transform, *batch)
    assert run(transform, *batch) == []


def test_the_next_batch_names_only_its_own_causes(transform: StateTransform) -> None:
    run(transform, record(0))
    (output,) = run(transform, record(1))
    assert decode_user_state(output.value or b"").caused_by == ("e1",)


@pytest.mark.parametrize(
    "stray",
    [
        record(0, partition=(HOME + 1) % PARTITIONS),
        msgspec.structs.replace(record(0), key=None),
        msgspec.structs.replace(record(0), key=b"someone else"),
    ],
)
@pytest.mark.parametrize("user", ["new", "known", "met in the batch"])
def test_a_stray_record_is_passed_on_untouched_to_its_owner(
    transform: StateTransform, stray: Record, user: str
) -> None:
    first = msgspec.structs.replace(record(0), value=record(90).value)
    if user == "known":
        run(transform, first)
    stray = msgspec.structs.replace(stray, headers=(("trace", b"\x00"),), offset=7)
    output, *states = run(transform, *([first] if user == "met in the batch" else []), stray)
    assert [decode_user_state(state.value or b"").caused_by for state in states] in ([], [("e90",)])
    assert (output.topic, output.partition, output.key) == (REKEYED, HOME, b"u1")
    assert (output.value, output.timestamp_ms) == (stray.value, stray.timestamp_ms)
    assert output.headers[0] == ("trace", b"\x00")
    assert output.headers[1:] == (("headrace.origin", f"{CLICKSTREAM}/{stray.partition}/7".encode()),)
    passed_on = msgspec.structs.replace(record(9, topic=REKEYED), value=output.value)
    (state,) = run(transform, passed_on)
    assert state.topic == USER_STATE


def test_under_the_key_of_a_user_of_the_batch_another_ones_event_stays_the_other_ones(
    transform: StateTransform,
) -> None:
    outputs = run(transform, record(0), record(1, user_id="u2"), record(2))
    passed_on = [out for out in outputs if out.topic == REKEYED]
    assert [(out.partition, out.key) for out in passed_on] == [(owner(b"u2", PARTITIONS), b"u2")]
    (state,) = [decode_user_state(out.value or b"") for out in outputs if out.topic == USER_STATE]
    assert (state.user_id, state.caused_by) == ("u1", ("e0", "e2"))


def test_what_was_passed_on_to_the_wrong_place_is_rejected_and_not_passed_on_again(
    transform: StateTransform,
) -> None:
    wrong = record(0, topic=REKEYED, partition=(HOME + 1) % PARTITIONS)
    rejected = transform.decode(wrong)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "misplaced"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"unknown": ' + b"[" * 100_000, "malformed"),
        (b"[]", "invalid"),
        (b'{"event_id": "e"}', "invalid"),
        (record(0, user_id="u" * 10_000).value, "invalid"),
        (record(0, event_type="rating", value=9).value, "out_of_scale"),
        (record(0, event_time="2024-06-18T10:00:00Z").value, "ahead"),
        (record(0, context={"page": "x" * 5_000_000}).value, "oversize"),
    ],
)
def test_bytes_that_cannot_be_used_become_a_whole_dead_letter(
    transform: StateTransform, value: bytes | None, reason: str
) -> None:
    bad = msgspec.structs.replace(record(3), value=value, headers=(("trace", b"1"),))
    rejected = transform.decode(bad)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    letter = dead_letter(rejected)
    assert (letter.topic, letter.partition) == (dead_letters(CLICKSTREAM), HOME)
    assert (letter.key, letter.value, letter.timestamp_ms) == (bad.key, bad.value, bad.timestamp_ms)
    assert letter.headers[0] == ("trace", b"1")
    assert dict(letter.headers)["__streams.errors.offset"] == b"3"


def test_a_state_of_another_layout_stops_the_worker_with_an_action(transform: StateTransform) -> None:
    transform._store.put(HOME, b"u1", b"\x93\x01\xa2u1\x90")
    with pytest.raises(DataError, match="delete"):
        run(transform, record(0))


def test_an_erased_user_is_null_with_a_receipt_and_starts_from_nothing(transform: StateTransform) -> None:
    run(transform, record(0), record(1))
    null, receipt = run(transform, erasure(0))
    assert (null.topic, null.partition, null.key, null.value) == (USER_STATE, HOME, b"u1", None)
    assert null.headers == ((ERASURE_HEADER, b"x0"),)
    assert (receipt.topic, receipt.partition, receipt.key) == (RECEIPTS, HOME, b"u1")
    told = decode_receipt(receipt.value or b"")
    assert (told.erasure_id, told.worker) == ("x0", "state")
    assert [(one.what, one.at) for one in told.cleared] == [(USER_STATE, datetime.fromtimestamp(NOW, UTC))]
    kept = {one.what: one.until for one in told.retained}
    assert kept[CLICKSTREAM] == datetime.fromtimestamp(NOW + (7 + 2) * 86_400, UTC)
    assert kept[dead_letters(CLICKSTREAM)] == datetime.fromtimestamp(NOW + (30 + 2) * 86_400, UTC)
    assert kept[USER_STATE] == datetime.fromtimestamp(NOW + 2 * 86_400, UTC)
    assert kept["models.v1"] is None
    (late,) = run(transform, record(2))
    state = decode_user_state(late.value or b"")
    assert (state.event_count, [past.item_id for past in state.history]) == (1, ["i2"])


def test_in_one_batch_the_null_state_comes_before_what_was_done_after_it(transform: StateTransform) -> None:
    run(transform, record(0))
    outputs = run(transform, record(1), erasure(0), record(2))
    states = [out.value for out in outputs if out.topic == USER_STATE]
    assert states[0] is None
    assert len(states) == 2
    assert decode_user_state(states[1] or b"").caused_by == ("e2",)


def test_the_feedback_app_is_told_to_forget_between_what_came_before_and_what_came_after() -> None:
    outputs = run(made(Settings()), record(0), erasure(0), record(1))
    told = [out for out in outputs if out.topic == USER_ACTIONS]
    assert [out.value is None for out in told] == [False, True, False]
    assert (told[1].partition, told[1].key, told[1].headers) == (HOME, b"u1", ((ERASURE_HEADER, b"x0"),))


def test_an_erasure_that_was_refused_by_the_broker_leaves_the_user_as_before() -> None:
    transform = made(Settings())
    run(transform, record(0), record(1))
    transform.kept({})
    before = transform._store.get(HOME, b"u1")
    run(transform, record(2), erasure(0))
    assert transform._store.get(HOME, b"u1") is None
    transform.abandoned()
    assert transform._store.get(HOME, b"u1") == before
    run(transform, record(2), record(3))
    transform.abandoned()
    assert transform._store.get(HOME, b"u1") == before
    assert [out.topic for out in run(transform, record(2))].count(USER_STATE) == 1


def test_erasing_an_unknown_user_is_told_downstream_too(transform: StateTransform) -> None:
    outputs = run(transform, erasure(0))
    assert [(out.topic, out.value is None) for out in outputs] == [(USER_STATE, True), (RECEIPTS, False)]


def test_an_erasure_that_came_elsewhere_goes_to_the_owner_once(transform: StateTransform) -> None:
    elsewhere = erasure(0, partition=(HOME + 1) % PARTITIONS)
    (output,) = run(transform, elsewhere)
    assert (output.topic, output.partition, output.key, output.value) == (
        ERASURES,
        HOME,
        b"u1",
        elsewhere.value,
    )


def test_accepted_acts_on_items_are_told_once() -> None:
    transform = made(Settings())
    batch = [
        record(0, item_id="a", recommendation_id="r"),
        record(1, item_id="a", event_type="impression"),
        record(2, item_id="b", event_type="rating", value=4),
        record(3, event_type="search", item_id=None, query="boots"),
        record(4, event_id="e0", item_id="a"),
    ]
    outputs = run(transform, *batch)
    (sent,) = [out for out in outputs if out.topic == USER_ACTIONS]
    assert (sent.partition, sent.key) == (HOME, None)
    told = decode_action_batch(sent.value or b"").actions
    assert [(act.user_id, act.offset, act.item_id, act.value, act.recommendation_id) for act in told] == [
        ("u1", 0, "a", None, "r"),
        ("u1", 1, "a", None, None),
        ("u1", 2, "b", 4.0, None),
    ]
    assert told[1].event_type == EventType.IMPRESSION.code
    assert [out.topic for out in run(transform, *batch)] == []


def test_states_that_lie_where_no_event_of_theirs_comes_stop_the_worker() -> None:
    users = {f"u{number}".encode() for number in range(40)}
    homes = {PARTITIONS: made(Settings()), 2 * PARTITIONS: StateTransform(Settings(), 2 * PARTITIONS)}
    for partitions, transform in homes.items():
        transform.assigned([0])
        for key in (key for key in users if owner(key, PARTITIONS) == 0):
            transform._store.load(0, key, b"state")
        if partitions == PARTITIONS:
            transform.restored([0])
            continue
        with pytest.raises(BrokerError, match="holds users of other partitions"):
            transform.restored([0])


def test_with_a_key_the_users_own_id_leaves_the_clickstream_in_no_form() -> None:
    key = {"pseudonym_key": "a key of at least 16 characters", "pseudonym_key_id": "k7"}
    transform = made(load_settings(privacy=key))
    first = record(0, anonymous_id="cookie")
    (output,) = [*run(transform, first)] if owner_of(transform) != HOME else [None]
    if output is None:
        pytest.fail("choose another key: this one keeps u1 where it was")
    assert (output.topic, output.partition) == (REKEYED, owner_of(transform))
    assert output.key is not None
    assert output.key.startswith(b"k7.")
    assert output.timestamp_ms == first.timestamp_ms
    passed_on = Record(REKEYED, output.partition, 0, CREATED_MS, output.key, output.value, output.headers)
    outputs = run(transform, passed_on)
    assert {out.topic for out in outputs} == {USER_STATE, USER_ACTIONS}
    for out in (output, *outputs):
        assert b"u1" not in (out.value or b"") + (out.key or b"")
        assert b"cookie" not in (out.value or b"")


def owner_of(transform: StateTransform) -> int:
    assert transform._rename is not None
    return owner(transform._rename("u1").encode(), PARTITIONS)
