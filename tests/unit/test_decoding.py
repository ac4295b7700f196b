"""A batch is decoded while it is handled, in chunks that nobody sees."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import Record, Rejected
from streams.decoding import Decoding

TOPICS = ("clicks", "requests")


class Told:
    """As much of a message as a record is made of."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self._place = (topic, partition, offset)

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._place[2]

    def timestamp(self) -> tuple[int, int]:
        return 1, 7

    def headers(self) -> None:
        return None

    def key(self) -> bytes:
        return b"u"

    def value(self) -> bytes:
        return b"v"


def decoded(record: Record) -> Record | Rejected:
    return record if record.offset % 7 else Rejected(record, "seventh", "sevenths are not wanted")


def offsets_of(places: list[tuple[str, int]], begin: int) -> list[tuple[str, int, int]]:
    seen: Counter[tuple[str, int]] = Counter()
    found = []
    for place in places:
        found.append((*place, begin + seen[place]))
        seen[place] += 1
    return found


@given(
    st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(0, 3)), max_size=30),
    st.integers(1, 60),
    st.frozensets(st.integers(0, 3)),
    st.integers(0, 8),
)
def test_it_tells_of_every_record_once_and_in_order(
    some: list[tuple[str, int]], times: int, active: frozenset[int], begin: int
) -> None:
    log = offsets_of(some * times, begin)  # of several chunks
    messages: list[Any] = [Told(*each) for each in log]
    batch = Decoding[Record](messages, active, decoded)
    taken = [(record.topic, record.partition, record.offset) for record in batch]
    ours = [each for each in log if each[1] in active]
    assert taken == [each for each in ours if each[2] % 7]
    assert [(r.record.topic, r.record.partition, r.record.offset) for r in batch.rejected] == [
        each for each in ours if not each[2] % 7
    ]
    assert len(batch) == len(ours)
    assert batch.counts == Counter(topic for topic, _, _ in ours)
    newest = {place: record.offset for place, record in batch.newest.items()}
    assert newest == {(topic, partition): offset for topic, partition, offset in ours}
    firsts = {(place.topic, place.partition): place.offset for place in batch.firsts}
    assert firsts == {(topic, partition): offset for topic, partition, offset in reversed(ours)}
    assert not messages


def test_records_are_made_no_earlier_than_they_are_asked_for() -> None:
    made: list[int] = []

    def note(record: Record) -> Record:
        made.append(record.offset)
        return record

    messages: list[Any] = [Told("clicks", 0, offset) for offset in range(2_000)]
    batch = Decoding[Record](messages, {0}, note)
    held = iter(batch)
    next(held)
    assert len(made) + len(messages) == 2_000
    assert len(made) < 2_000
    assert [record.offset for record in held] == list(range(1, 2_000))
