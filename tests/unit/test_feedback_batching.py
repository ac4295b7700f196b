"""Nothing is acknowledged but what was handled; what stands still is found out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from streams.contracts import Record
from streams.errors import Transient
from streams.feedback.batching import MOST_BYTES, Batching
from streams.feedback.progress import Seen, Stalls
from streams.feedback.taking import taken

TOPIC = "user.actions.v1"


class Message(SimpleNamespace):
    """A message that a set can hold."""

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class Event:
    """A Faust event that knows whether it was acknowledged."""

    def __init__(self, offset: int) -> None:
        self.acked = False
        self.message = Message(
            topic=TOPIC,
            partition=0,
            offset=offset,
            timestamp=offset / 1000,
            key=b"k",
            value=b"v",
            headers=[],
            follows=offset - 1 if offset else None,
            generation_id=1,
        )

    def ack(self) -> None:
        self.acked = True


class Stream:
    """A Faust stream over a queue; it never ends, as Faust's never do."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue()
        self.channel = self
        self.app = SimpleNamespace(
            consumer=SimpleNamespace(unacked=set()),
            consumer_generation_id=1,
            flow_control=SimpleNamespace(is_active=lambda: True),
        )
        for event in events:
            self.queue.put_nowait(event)

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self.queue.get()


class Keeper:
    """A handler that keeps what it is given, and breaks at one offset."""

    sources: Sequence[str] = (TOPIC,)

    def __init__(self, breaks_at: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self._breaks_at = breaks_at

    async def handle(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        if self._breaks_at in [record.offset for record in records]:
            raise RuntimeError("broken")
        self.batches.append([record.offset for record in records])

    def recovered(self, partitions: frozenset[int]) -> None: ...


async def _run(keeper: Keeper, events: list[Event], most: int, until: Any) -> tuple[Batching, list[BaseException]]:
    errors: list[BaseException] = []
    stream, batching = Stream(events), Batching(keeper, most, 0.0, errors.append)
    agent = asyncio.ensure_future(batching.agent(stream))
    async with asyncio.timeout(30):
        while not until(errors):
            await asyncio.sleep(0.001)
    for _ in range(100):
        await asyncio.sleep(0)
    agent.cancel()
    await asyncio.gather(agent, return_exceptions=True)
    return batching, errors


def test_what_the_stream_holds_is_handled_together_in_order_then_acknowledged() -> None:
    events, keeper = [Event(number) for number in range(25)], Keeper()
    batching, errors = asyncio.run(_run(keeper, events, 10, lambda _: all(event.acked for event in events)))
    assert not errors
    assert [len(batch) for batch in keeper.batches] == [10, 10, 5]
    assert [offset for batch in keeper.batches for offset in batch] == list(range(25))
    assert batching.newest[TOPIC, 0] == (24, 24)


@pytest.mark.parametrize(("waiting", "pauses"), [(3, True), (10, False)])
def test_after_a_batch_records_gather_unless_enough_wait(waiting: int, pauses: bool) -> None:
    async def run() -> list[list[int]]:
        first, rest = [Event(0)], [Event(number) for number in range(1, 1 + waiting)]
        errors: list[BaseException] = []
        stream, keeper = Stream(first), Keeper()
        agent = asyncio.ensure_future(Batching(keeper, 10, 3_600, errors.append).agent(stream))
        await asyncio.sleep(0)
        for event in rest:
            stream.queue.put_nowait(event)
        for _ in range(100):
            await asyncio.sleep(0)
        agent.cancel()
        await asyncio.gather(agent, return_exceptions=True)
        assert not errors
        assert [event.acked for event in rest] == [not pauses] * waiting
        return keeper.batches

    gathered = list(range(1, 1 + waiting))
    assert asyncio.run(run()) == ([[0]] if pauses else [[0], gathered])


def test_large_records_make_a_small_batch() -> None:
    events, keeper = [Event(number) for number in range(9)], Keeper()
    for event in events:
        event.message.value = bytes(MOST_BYTES // 3 + 1)
    events[6].message.value = bytes(2 * MOST_BYTES)
    asyncio.run(_run(keeper, events, 10, lambda _: all(event.acked for event in events)))
    assert keeper.batches == [[0, 1, 2], [3, 4, 5], [6], [7, 8]]


def test_an_exception_acknowledges_nothing_of_its_batch_and_stops_the_agent() -> None:
    events, keeper = [Event(number) for number in range(25)], Keeper(breaks_at=13)
    _, errors = asyncio.run(_run(keeper, events, 10, lambda found: found))
    assert [str(error) for error in errors] == ["broken"]
    assert [event.acked for event in events] == [True] * 10 + [False] * 15
    assert keeper.batches == [list(range(10))]


@pytest.mark.parametrize("gone", [range(12, 20), range(12, 13), range(0, 4)])
def test_nothing_is_handled_behind_a_record_that_was_handed_over_and_did_not_arrive(gone: range) -> None:
    events, keeper = [Event(number) for number in range(25) if number not in gone], Keeper()
    _, errors = asyncio.run(_run(keeper, events, 10, lambda found: found))
    assert isinstance(errors[0], Transient)
    handled = [offset for batch in keeper.batches for offset in batch]
    assert handled == list(range(len(handled)))
    assert len(handled) <= gone.start


def test_behind_a_seek_and_behind_a_marker_of_a_transaction_it_goes_on() -> None:
    events, keeper = [Event(number) for number in (3, 4, 6, 7, 4, 6, 7, 8)], Keeper()
    for event, follows in zip(events, (None, 3, 4, 6, None, 4, 6, 7), strict=True):
        event.message.follows = follows
    _, errors = asyncio.run(_run(keeper, events, 10, lambda _: all(event.acked for event in events)))
    assert not errors


def test_records_of_an_earlier_assignment_are_passed_over_and_others_are_known_to_the_consumer() -> None:
    events = [Event(number) for number in range(6)]
    events[1].message.generation_id = 0
    stream = Stream(events)
    found = [event.message.offset for event in taken(stream, 3)]
    assert found == [0, 2, 3]
    assert {message.offset for message in stream.app.consumer.unacked} == {0, 2, 3}
    stream.app.flow_control.is_active = lambda: False
    assert not list(taken(stream, 3))
    assert stream.queue.empty()


def test_a_batch_that_was_cancelled_half_way_lets_no_later_one_pass() -> None:
    class Endless(Keeper):
        async def handle(self, records: Sequence[Record]) -> None:
            self.batches.append([record.offset for record in records])
            await asyncio.Event().wait()

    async def run() -> tuple[list[BaseException], list[Event], Keeper]:
        errors: list[BaseException] = []
        events, keeper = [Event(number) for number in range(4)], Endless()
        batching = Batching(keeper, 2, 0.0, errors.append)
        first = asyncio.ensure_future(batching.agent(Stream(events[:2])))
        async with asyncio.timeout(30):
            while not keeper.batches:
                await asyncio.sleep(0.001)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            again = asyncio.ensure_future(batching.agent(Stream(events[2:])))
            while not errors:
                await asyncio.sleep(0.001)
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
        return errors, events, keeper

    errors, events, keeper = asyncio.run(run())
    assert isinstance(errors[0], Transient)
    assert keeper.batches == [[0, 1]]
    assert not any(event.acked for event in events)


@pytest.mark.parametrize("moved", [Seen(7, 3, 9, True), Seen(6, 4, 9, True)])
def test_a_partition_that_is_behind_and_does_not_move_is_named_after_its_time(moved: Seen) -> None:
    now = [0.0]
    stalls, place, still = Stalls(60, lambda: now[0]), (TOPIC, 1), Seen(6, 3, 9, True)
    assert stalls.check({place: still}) is None
    now[0] = 59
    assert stalls.check({place: still}) is None
    now[0] = 61
    assert stalls.check({place: moved}) is None, "fetching or handling is moving"
    now[0] = 120
    assert stalls.check({place: moved}) is None
    now[0] = 122
    assert stalls.check({place: moved}) == place
    stalls.reset()
    assert stalls.check({place: moved}) is None, "after a rebalance time begins anew"


def test_a_partition_without_records_may_stand_still_for_ever() -> None:
    now = [0.0]
    stalls, idle = Stalls(60, lambda: now[0]), {(TOPIC, 0): Seen(9, 8, 9, False)}
    for second in range(0, 1_000, 50):
        now[0] = float(second)
        assert stalls.check(idle) is None


@pytest.mark.parametrize(
    ("seen", "behind"),
    [
        (Seen(9, 8, 9, False), 0),
        (Seen(9, 3, 9, True), 5),
        (Seen(9, 3, 9, False), 0),  # markers of transactions lie between
        (Seen(0, -1, 4, False), 4),
        (Seen(4, -1, 4, True), 4),
    ],
)
def test_what_is_fetched_but_not_handled_is_still_behind(seen: Seen, behind: int) -> None:
    assert seen.behind == behind
