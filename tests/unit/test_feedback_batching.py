"""Nothing is acknowledged but what was handled; what stands still is found out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from streams.contracts import Record
from streams.feedback.batching import Batching
from streams.feedback.progress import Seen, Stalls

TOPIC = "user.actions.v1"


class Event:
    """A Faust event that knows whether it was acknowledged."""

    def __init__(self, offset: int) -> None:
        self.acked = False
        self.message = SimpleNamespace(
            topic=TOPIC, partition=0, offset=offset, timestamp=offset / 1000, key=b"k", value=b"v", headers=[]
        )

    def ack(self) -> None:
        self.acked = True


class Stream:
    """A Faust stream over a queue; it never ends, as Faust's never do."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue()
        self.channel = self

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
    stream, batching = Stream(), Batching(keeper, most, errors.append)
    for event in events:
        stream.queue.put_nowait(event)
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


def test_an_exception_acknowledges_nothing_of_its_batch_and_stops_the_agent() -> None:
    events, keeper = [Event(number) for number in range(25)], Keeper(breaks_at=13)
    _, errors = asyncio.run(_run(keeper, events, 10, lambda found: found))
    assert [str(error) for error in errors] == ["broken"]
    assert [event.acked for event in events] == [True] * 10 + [False] * 15
    assert keeper.batches == [list(range(10))]


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
