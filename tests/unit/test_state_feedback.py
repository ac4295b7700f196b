"""What the state worker tells the feedback app, record by record."""

from datetime import UTC, datetime

from streams.clock import to_ms
from streams.codec import decode_action_batch
from streams.contracts import Event, EventType, Record, UserAction
from streams.contracts.fields import Scalar
from streams.state.arrivals import Arrival, arrival_of
from streams.state.feedback import RECORD_BYTES, Feedback
from streams.topics import CLICKSTREAM, REKEYED, USER_ACTIONS

WHEN = datetime(2024, 5, 1, tzinfo=UTC)


def arrival(
    offset: int, item_id: str, second: int = 0, context: dict[str, Scalar] | None = None, user: str = "u"
) -> Arrival:
    moment = WHEN.replace(second=second)
    event = Event(
        event_id=str(offset),
        event_type=EventType.CLICK,
        user_id=user,
        item_id=item_id,
        event_time=moment,
        context=context or {},
    )
    return arrival_of(Record(CLICKSTREAM, 1, offset, 7, b"u", None), event, to_ms(moment), "country")


def tell(feedback: Feedback, accepted: list[Arrival], partition: int = 1) -> None:
    feedback.add(feedback.actions_of(accepted), partition)


def test_records_have_bounds_and_hold_every_act() -> None:
    feedback = Feedback()
    longest = [f"{number:04}" + "\N{EURO SIGN}" * 508 for number in range(700)]
    tell(feedback, [arrival(number, item) for number, item in enumerate(longest)])
    outputs = feedback.outputs()
    assert {out.topic for out in outputs} == {USER_ACTIONS}
    assert all(len(out.value or b"") <= RECORD_BYTES and out.key is None for out in outputs)
    told = [decode_action_batch(out.value or b"").actions for out in outputs]
    assert [(act.offset, act.item_id) for actions in told for act in actions] == list(enumerate(longest))


def test_a_batch_is_a_record_for_each_partition_that_it_touches() -> None:
    feedback = Feedback()
    for user in range(20):
        tell(feedback, [arrival(user, f"i{user % 10}", second=30 - user, user=f"u{user}")], user % 2)
    outputs = feedback.outputs()
    assert sorted(out.partition for out in outputs) == [0, 1]
    for out in outputs:
        told = decode_action_batch(out.value or b"").actions
        assert [act.user_id for act in told] == [f"u{user}" for user in range(20) if user % 2 == out.partition]


def test_an_act_is_told_as_its_contract_says_it() -> None:
    feedback = Feedback()
    moment = WHEN.replace(second=5)
    event = Event(
        event_id="e", event_type=EventType.RATING, user_id="pseudonym", item_id="i", event_time=moment, value=4,
        recommendation_id="r",
    )  # fmt: skip
    record = Record(REKEYED, 2, 9, 7, b"u", None)
    tell(feedback, [arrival_of(record, event, to_ms(moment), "")])
    (out,) = feedback.outputs()
    (told,) = decode_action_batch(out.value or b"").actions
    assert told == UserAction("pseudonym", EventType.RATING.code, "i", to_ms(moment), 4.0, "r", 1, 9, 7)


def test_the_context_that_is_counted_by_is_told_with_each_act_and_else_takes_no_byte() -> None:
    search = Event(
        event_id="s",
        event_type=EventType.SEARCH,
        user_id="u",
        event_time=WHEN,
        query="q",
        context={"country": "DE"},
    )
    arrivals = [
        arrival(0, "a", context={"country": "NL", "device": "phone"}),
        arrival_of(Record(CLICKSTREAM, 1, 1, 7, b"u", None), search, to_ms(WHEN), "country"),
        arrival(2, "b"),
        arrival(3, "c", context={"country": 31}),
    ]
    by_country, by_nothing = Feedback("country"), Feedback()
    for feedback in (by_country, by_nothing):
        for _ in range(2):
            tell(feedback, arrivals)
    (told,), (untold,) = by_country.outputs(), by_nothing.outputs()
    found = [(act.item_id, act.context) for act in decode_action_batch(told.value or b"").actions]
    assert found == [("a", "NL"), ("b", None), ("c", "31")] * 2
    plain = decode_action_batch(untold.value or b"").actions
    assert {act.context for act in plain} == {None}
    assert len(told.value or b"") - len(untold.value or b"") == 2 * (len("NL") + len("31") + 3)
