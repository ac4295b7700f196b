"""A dead letter holds a record whole, and can be told from the mark of its replay."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import Output, Record, Rejected
from streams.dead_letters import MARK_HEADER, PREFIX, REPLAYED_HEADER, dead_letter, letter_of, marked, sent_again
from streams.topics import CLICKSTREAM, all_topics, dead_letters

names = st.text(max_size=12) | st.sampled_from(
    [f"{PREFIX}offset", f"{PREFIX}message", REPLAYED_HEADER, MARK_HEADER]
)
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=9)), max_size=8).map(tuple)
bodies = st.none() | st.binary(max_size=40)
records = st.builds(
    Record,
    st.just(CLICKSTREAM),
    st.integers(0, 9),
    st.integers(0, 2**62),
    st.integers(0, 2**41),
    bodies,
    bodies,
    headers,
)
reasons = st.sampled_from(["empty", "invalid", "malformed"])


def as_read(output: Output, offset: int) -> Record:
    return Record(
        output.topic, output.partition, offset, output.timestamp_ms, output.key, output.value, output.headers
    )


@given(records, reasons, st.text(max_size=20), st.integers(0, 2**62))
def test_a_letter_that_is_sent_again_is_the_record_as_it_came_and_says_so(
    record: Record, reason: str, detail: str, offset: int
) -> None:
    lying = as_read(dead_letter(Rejected(record, reason, detail)), offset)
    letter = letter_of(lying)
    assert letter is not None
    assert marked(lying) is None
    assert (letter.topic, letter.partition, letter.offset) == (record.topic, record.partition, record.offset)
    assert letter.reason == reason
    assert letter.detail == detail.encode(errors="replace").decode()
    again, mark = sent_again(letter)
    assert msgspec.structs.replace(again, headers=()) == Output(
        record.topic, record.partition, record.key, record.value, (), record.timestamp_ms
    )
    assert again.headers[:-1] == record.headers
    assert again.headers[-1] == (
        REPLAYED_HEADER,
        f"{dead_letters(CLICKSTREAM)}/{record.partition}/{offset}".encode(),
    )
    behind = as_read(mark, offset + 1)
    assert (behind.topic, behind.partition) == (lying.topic, lying.partition)
    assert letter_of(behind) is None
    assert marked(behind) == offset
    once_more = letter_of(as_read(dead_letter(Rejected(as_read(again, 5), reason, detail)), 6))
    assert once_more is not None
    assert once_more.attempts == letter.attempts + 1


@given(records)
def test_anything_can_lie_in_a_dead_letter_topic(record: Record) -> None:
    letter_of(record)
    marked(record)


def test_a_dead_letter_may_be_larger_than_any_record_that_can_become_one() -> None:
    limits = {topic.name: topic.max_message_bytes for topic in all_topics("e")}
    lettered = [name for name in limits if dead_letters(name) in limits]
    assert CLICKSTREAM in lettered
    assert all(limits[dead_letters(name)] > limits[name] for name in lettered)
