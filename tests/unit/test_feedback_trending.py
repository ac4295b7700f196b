"""The trends of the items: by partition of the users, killed wherever it writes, and beside the join."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import decode_item_trend, encode_msgpack
from streams.contracts import ActionBatch, EventType, Output, Record, UserAction
from streams.errors import Fatal, Transient
from streams.feedback.decoding import Erased, Heard, heard
from streams.feedback.in_turn import InTurn
from streams.feedback.tables import Change
from streams.feedback.trending import Trending, partition_of, place_of, table_key
from streams.rejections import RejectedShare
from streams.settings.feedback import FeedbackSettings
from streams.topics import ITEM_TRENDS, RECOMMENDATIONS, USER_ACTIONS

CLICK = EventType.CLICK.code
NOW_MS = 10**12
DAY_MS = 86_400_000


class Table:
    """A changelog that dies once, before or after what it was told took effect."""

    def __init__(self, dies: bool = False, works: bool = True) -> None:
        self.held: dict[bytes, bytes] = {}
        self._dies, self._works = dies, works

    def get(self, key: bytes) -> bytes | None:
        return self.held.get(key)

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        return tuple(self.held.items())

    def forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            del self.held[key]

    async def write(self, changes: Mapping[bytes, Change]) -> None:
        dies, self._dies = self._dies, False
        if self._works or not dies:
            for key, (_, value) in changes.items():
                if value is None:
                    self.held.pop(key, None)
                else:
                    self.held[key] = value
        if dies:
            raise Transient("the power went")


class Outbox:
    def __init__(self) -> None:
        self.delivered: list[Output] = []

    async def deliver(self, outputs: Iterable[Output]) -> None:
        self.delivered += outputs


def trending(table: Table, outbox: Outbox) -> Trending:
    return Trending(cast(Any, table), cast(Any, outbox), FeedbackSettings())


def record(partition: int, offset: int, *items: str, day: int = 0) -> Record:
    now_ms = NOW_MS + day * DAY_MS
    actions = tuple(UserAction("u", CLICK, item, now_ms, None, None, 0, offset, now_ms) for item in items)
    return Record(USER_ACTIONS, partition, offset, now_ms, None, encode_msgpack(ActionBatch(1, actions)))


def counted(outbox: Outbox) -> dict[tuple[int, str], float]:
    """Return the newest clicks of each trend on the topic, by partition and item."""
    trends = [(out.partition, decode_item_trend(out.value or b"")) for out in outbox.delivered]
    assert all(out.topic == ITEM_TRENDS for out in outbox.delivered)
    return {(partition, trend.item_id): trend.counts[CLICK][0] for partition, trend in trends}


def test_an_item_has_a_trend_for_each_partition_whose_users_act_on_it() -> None:
    outbox = Outbox()
    batch = [record(0, 5, "a", "b", "a"), record(3, 2, "a"), record(0, 6, "a")]
    asyncio.run(trending(Table(), outbox).handle(heard(batch)))
    assert counted(outbox) == {(0, "a"): 3.0, (0, "b"): 1.0, (3, "a"): 1.0}
    assert len(outbox.delivered) == 3, "the newest of each, once"


def test_erasures_and_what_cannot_be_read_are_left_to_the_join() -> None:
    outbox, table = Outbox(), Table()
    erased = Record(USER_ACTIONS, 0, 0, NOW_MS, b"u", None)
    bad = Record(USER_ACTIONS, 0, 1, NOW_MS, None, b"\xc1")
    asyncio.run(trending(table, outbox).handle(heard([erased, bad])))
    assert not outbox.delivered
    assert not table.held


@given(
    st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=3), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 5),
)
def test_a_batch_that_is_repeated_after_a_death_counts_once(
    records: list[list[str]], works: bool, first_again: int
) -> None:
    outbox, table = Outbox(), Table(dies=True, works=works)
    log = [record(1, offset, *items) for offset, items in enumerate(records)]
    with pytest.raises(Transient):
        asyncio.run(trending(table, outbox).handle(heard(log)))
    again = trending(table, outbox)
    asyncio.run(again.handle(heard(log)))
    asyncio.run(again.handle(heard(log[first_again:])))
    want = {item: float(sum(items.count(item) for items in records)) for items in records for item in items}
    assert counted(outbox) == {(1, item): count for item, count in want.items()}


def test_what_another_worker_owns_now_is_forgotten() -> None:
    table, outbox = Table(), Outbox()
    handler = trending(table, outbox)
    asyncio.run(handler.handle(heard([record(0, 0, "a b"), record(11, 0, "a b")])))
    handler.recovered(frozenset({11}))
    assert list(table.held) == [table_key(11, "a b")]


def test_a_trend_of_which_nothing_is_left_ends_with_a_null_by_the_time_of_its_own_partition() -> None:
    table, outbox = Table(), Outbox()
    handler = trending(table, outbox)
    asyncio.run(handler.handle(heard([record(0, 0, "old", *["loved"] * 1_000), record(1, 0, "old")])))
    for day in range(1, 40):
        asyncio.run(handler.handle(heard([record(0, day, "new", day=day)])))
    ended = [(out.partition, out.key) for out in outbox.delivered if out.value is None]
    assert ended == [(0, b"old")], "once; partition 1 has seen no time pass, and of a thousand more is left"
    assert set(table.held) == {table_key(0, "loved"), table_key(0, "new"), table_key(1, "old")}
    asyncio.run(handler.handle(heard([record(0, 40, "old", day=40)])))
    assert decode_item_trend(table.held[table_key(0, "old")]).counts[CLICK] == (1.0, 1.0, 1.0), "it begins anew"


def test_what_the_batch_itself_counts_does_not_end() -> None:
    table, outbox = Table(), Outbox()
    handler = trending(table, outbox)
    asyncio.run(handler.handle(heard([record(0, 0, "a")])))
    for day in range(1, 60):
        asyncio.run(handler.handle(heard([record(0, 2 * day, "b", day=day)])))
        if day == 20:
            asyncio.run(handler.handle(heard([record(0, 2 * day + 1, "a", day=day)])))
    ended = [out for out in outbox.delivered if out.value is None]
    assert [out.key for out in ended] == [b"a"], "only after its second action has faded"
    assert outbox.delivered.index(ended[0]) > 52, "32 days after it, one record a day"


@given(st.integers(0, 10_000), st.text())
def test_keys_of_the_table_tell_partitions_and_items_apart(partition: int, item: str) -> None:
    assert partition_of(table_key(partition, item)) == partition
    assert place_of(table_key(partition, item)) == (partition, item)


class Part:
    def __init__(self, name: str, seen: list[Any]) -> None:
        self._name, self._seen = name, seen

    def recovered(self, partitions: frozenset[int]) -> None:
        self._seen.append((self._name, partitions))

    async def handle(self, batch: Sequence[Heard]) -> None:
        self._seen.append((self._name, [(each.offset, type(message)) for each, message in batch]))


def in_turn(share: RejectedShare, *parts: Part) -> InTurn:
    return InTurn((USER_ACTIONS, RECOMMENDATIONS), share, *parts)


def test_a_batch_is_decoded_once_and_goes_to_one_part_after_the_other() -> None:
    seen: list[Any] = []
    both = in_turn(RejectedShare(0.5, 1_000), Part("join", seen), Part("trends", seen))
    null = Record(RECOMMENDATIONS, 0, 7, NOW_MS, b"u", None)
    asyncio.run(both.handle([record(0, 1, "a"), null]))
    both.recovered(frozenset({2}))
    said = [(1, ActionBatch), (7, Erased)]
    partitions = frozenset({2})
    assert seen == [("join", said), ("trends", said), ("join", partitions), ("trends", partitions)]


def test_more_than_the_allowed_share_of_bad_records_stops_the_worker_before_any_of_them_is_a_dead_letter() -> None:
    seen: list[Any] = []
    bad = [Record(USER_ACTIONS, 3, offset, NOW_MS, None, b"\xc1") for offset in range(60)]
    some = in_turn(RejectedShare(0.5, 80), Part("join", seen))
    asyncio.run(some.handle([*bad[:30], *(record(3, 90 + number, "a") for number in range(40))]))
    assert len(seen) == 1, "a share that is allowed is handled"
    with pytest.raises(Fatal, match=r"60 of the last 100 .*user.actions.v1/3/59 \(malformed"):
        asyncio.run(some.handle(bad[30:]))
    assert len(seen) == 1
