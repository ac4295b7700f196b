"""The feedback app forgets whom the state worker has erased, in whatever order it reads of it."""

import asyncio
from collections.abc import Iterable
from itertools import permutations
from typing import Any, cast

from streams.codec import decode_receipt
from streams.contracts import Output, Record
from streams.feedback.decoding import heard
from streams.feedback.joining import Joining
from streams.feedback.outbox import Outbox
from streams.feedback.tables import AwaitedTable
from streams.privacy.receipts import ERASURE_HEADER
from streams.topics import RECEIPTS, RECOMMENDATIONS, USER_ACTIONS
from tests.feedback_traffic import SETTINGS, records, traffic


class Table:
    """What Faust's table is to the join."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.changelog_topic_name = "users-changelog"


class Sent:
    """An outbox that keeps what it was given."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    async def deliver(self, outputs: Iterable[Output]) -> None:
        self.outputs += outputs


def nulls(key: bytes, partition: int) -> list[Record]:
    headers = ((ERASURE_HEADER, b"x1"),)
    return [Record(topic, partition, 1_000, 0, key, None, headers) for topic in (USER_ACTIONS, RECOMMENDATIONS)]


def handled(batches: Iterable[list[Record]]) -> tuple[dict[bytes, bytes], list[Output]]:
    table, sent = Table(), Sent()
    outbox = cast(Outbox, sent)
    joining = Joining(AwaitedTable(cast(Any, table), outbox), outbox, SETTINGS, lambda *_: None)
    for batch in batches:
        asyncio.run(joining.handle(heard(batch)))
    return table.data, sent.outputs


def test_after_both_nulls_nothing_is_kept_of_a_user_in_any_order_of_the_topics() -> None:
    said = [each for each in traffic(40) if each.message.user_id in ("u0.0", "u0.1")]
    log = [Record(out.topic, out.partition, n, 0, out.key, out.value) for n, out in enumerate(records(said))]
    (home,) = {each.partition for each in said if each.message.user_id == "u0.0"}
    gone = nulls(b"u0.0", home)
    by_topic = [
        [each for each in (*log, *gone) if each.topic == topic] for topic in (USER_ACTIONS, RECOMMENDATIONS)
    ]
    for batches in permutations(by_topic):
        data, _ = handled(batches)
        assert set(data) == {b"u0.1"}
    data, _ = handled([log])
    assert set(data) == {b"u0.0", b"u0.1"}


def test_one_receipt_tells_that_the_feedback_app_has_forgotten() -> None:
    _, sent = handled([nulls(b"u", 2)])
    (told,) = [out for out in sent if out.topic == RECEIPTS]
    assert sent[-1] is told, "only after the state is gone"
    receipt = decode_receipt(told.value or b"")
    assert (told.partition, told.key, receipt.worker, receipt.erasure_id) == (2, b"u", "feedback", "x1")
