"""What the state worker tells the feedback app, record by record."""

from datetime import UTC, datetime

from streams.clock import to_ms
from streams.codec import decode_action_batch, decode_activity_batch
from streams.contracts import Event, EventType, Record
from streams.partitioner import owner
from streams.state.feedback import RECORD_BYTES, Feedback
from streams.state.fold import Arrival
from streams.topics import CLICKSTREAM, ITEM_ACTIVITY, USER_ACTIONS

PARTITIONS = 4
WHEN = datetime(2024, 5, 1, tzinfo=UTC)


def arrival(offset: int, item_id: str, second: int = 0) -> Arrival:
    moment = WHEN.replace(second=second)
    event = Event(
        event_id=str(offset), event_type=EventType.CLICK, user_id="u", item_id=item_id, event_time=moment
    )
    return Record(CLICKSTREAM, 1, offset, 7, b"u", None), event, to_ms(moment)


def test_records_have_bounds_and_hold_every_act_and_every_item_once() -> None:
    feedback = Feedback(PARTITIONS)
    longest = [f"{number:04}" + "\N{EURO SIGN}" * 508 for number in range(700)]
    feedback.add([arrival(number, item) for number, item in enumerate(longest)], "u", 1)
    outputs = feedback.outputs()
    assert all(len(out.value or b"") <= RECORD_BYTES and out.key is None for out in outputs)
    told = [decode_action_batch(out.value or b"").actions for out in outputs if out.topic == USER_ACTIONS]
    assert [(act.offset, act.item_id) for actions in told for act in actions] == list(enumerate(longest))
    counted = [
        (out.partition, each.item_id, each.counts)
        for out in outputs
        if out.topic == ITEM_ACTIVITY
        for each in decode_activity_batch(out.value or b"").items
    ]
    click = {EventType.CLICK.code: 1}
    assert sorted(counted) == sorted((owner(item.encode(), PARTITIONS), item, click) for item in longest)


def test_a_batch_is_a_record_for_each_partition_that_it_touches() -> None:
    feedback = Feedback(PARTITIONS)
    for user in range(20):
        feedback.add([arrival(user, f"i{user % 10}", second=30 - user)], f"u{user}", user % 2)
    outputs = feedback.outputs()
    assert sorted(out.partition for out in outputs if out.topic == USER_ACTIONS) == [0, 1]
    activities = [out for out in outputs if out.topic == ITEM_ACTIVITY]
    assert len(activities) == len({owner(b"i%d" % item, PARTITIONS) for item in range(10)})
    found = {each.item_id: each for out in activities for each in decode_activity_batch(out.value or b"").items}
    assert found["i3"].counts == {EventType.CLICK.code: 2}
    assert found["i3"].stream_time_ms == to_ms(WHEN.replace(second=27)), "the newer of the two"
