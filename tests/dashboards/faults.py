"""What is done to a running Headrace, and which alerts have to say so."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from confluent_kafka import Producer

from streams.codec import encode_json
from streams.contracts import ModelAlias, ModelVersion
from streams.kafka import producer
from streams.slo import FRESHNESS_SECONDS
from streams.topics import CLICKSTREAM, MODELS
from tests.dashboards.shop import Shop
from tests.integration.poison import BAD

Condition = Callable[[], bool]


class Fault(NamedTuple):
    """One thing that goes wrong.

    Attributes:
        alerts: must all fire, by the time that the fault is over.
        moves: panels whose largest value must grow because of it, (dashboard, title).
        inflict: does it, with a function that waits until alerts fire; undoes it at the end.
    """

    name: str
    alerts: tuple[str, ...]
    moves: tuple[tuple[str, str], ...]
    inflict: Callable[[Shop, Callable[..., None]], None]


def nothing_new(shop: Shop, wait: Callable[..., None]) -> None:
    """No model is trained and no main tier is built for long."""
    wait("HeadraceModelOld", "HeadraceIndexOld")


def poison(shop: Shop, wait: Callable[..., None]) -> None:
    """A producer sends what nobody can read."""
    client = producer(shop.settings)
    with _repeated(lambda: _send_poison(client)) as again:
        wait("HeadraceDeadLetters", again=again)
    client.flush(30)


def wrong_keys(shop: Shop, wait: Callable[..., None]) -> None:
    """A producer sends events under another key than the user's, and each of them twice."""
    client = producer(shop.settings)
    for event in shop.dataset.events[-20:]:
        for _ in range(2):
            client.produce(CLICKSTREAM, key="nobody", value=encode_json(event))
    client.flush(30)
    wait()


def strangers(shop: Shop, wait: Callable[..., None]) -> None:
    """Most people come for the first time."""
    usual, shop.traffic.strangers_rate = shop.traffic.strangers_rate, 40.0
    try:
        wait("HeadraceFallbacks")
    finally:
        shop.traffic.strangers_rate = usual


def open_transaction(shop: Shop, wait: Callable[..., None]) -> None:
    """A producer's transaction is left open on one partition."""
    hanging = producer(shop.settings, transactional_id="hangs", transaction_timeout_ms=600_000)
    hanging.init_transactions(30)
    hanging.begin_transaction()
    hanging.produce(CLICKSTREAM, key="hangs", value=b"{}", partition=0)
    hanging.flush(30)
    usual, shop.traffic.rate = shop.traffic.rate, 20.0
    try:
        wait("HeadracePartitionStuck", "HeadraceLagGrows")
    finally:
        shop.traffic.rate = usual
        hanging.abort_transaction(30)


def stopped_worker(shop: Shop, wait: Callable[..., None]) -> None:
    """The state worker is away while everybody clicks, twice: once is near the share at which the alerts fire."""
    for alerts in (("HeadraceWorkerDown",), ()):
        shop.workers.stop("state")
        try:
            wait(*alerts)
            shop.traffic.burst()
            time.sleep(FRESHNESS_SECONDS)
        finally:
            shop.workers.again("state")
        shop.monitoring.until(lambda: "HeadraceWorkerDown" not in shop.monitoring.firing(), "it is back", 60)
        time.sleep(3 * FRESHNESS_SECONDS)
    wait("HeadraceFreshnessBurnsFast", "HeadraceFreshnessBurnsSlow")


def wrong_model(shop: Shop, wait: Callable[..., None]) -> None:
    """A model is announced that no worker can load."""
    name = shop.settings.ranking.model_name
    wrong = ModelVersion(
        name=name,
        version="nowhere",
        uri="file:///nowhere",
        sha256="0" * 64,
        encoder_id="none",
        created_at=datetime.now(UTC),
        metrics={},
    )
    client = producer(shop.settings)
    client.produce(MODELS, key=f"{name}/nowhere", value=encode_json(wrong))
    alias = ModelAlias(name=name, alias="champion", version="nowhere")
    client.produce(MODELS, key=f"{name}@champion", value=encode_json(alias))
    client.flush(30)
    wait("HeadraceModelRefused")


FAULTS: Final = (
    Fault("nothing new for days", ("HeadraceModelOld", "HeadraceIndexOld"), (), nothing_new),
    Fault(
        "a stopped worker",
        ("HeadraceWorkerDown", "HeadraceFreshnessBurnsFast", "HeadraceFreshnessBurnsSlow"),
        (
            ("headrace-overview", "Is freshness what it was?"),
            ("headrace-overview", "What is wrong right now?"),
        ),
        stopped_worker,
    ),
    Fault(
        "poison",
        ("HeadraceDeadLetters",),
        (
            ("headrace-pipeline", "What cannot be used, and why?"),
            ("headrace-pipeline", "What share of the input is dead?"),
        ),
        poison,
    ),
    Fault("wrong keys", (), (("headrace-pipeline", "Do producers key their events right?"),), wrong_keys),
    Fault(
        "strangers",
        ("HeadraceFallbacks",),
        (("headrace-overview", "How many slates are a fallback?"),),
        strangers,
    ),
    Fault(
        "a transaction left open",
        ("HeadracePartitionStuck", "HeadraceLagGrows"),
        (
            ("headrace-pipeline", "How many records wait?"),
            ("headrace-pipeline", "How long have they waited?"),
        ),
        open_transaction,
    ),
    Fault(
        "a model that cannot be loaded",
        ("HeadraceModelRefused",),
        (("headrace-models", "Was a model refused?"),),
        wrong_model,
    ),
)
BEFORE_ALL: Final = ("HeadraceWorkerNotReady",)
"""Alerts that must fire while `shop` starts: the ranking worker runs before there is a model."""
NOT_LIVE: Final = {
    "HeadraceWorkerSilent": "a loop that hangs in a process that answers cannot be made from outside; promtool",
    "HeadraceRecallLow": "an index as small as the shop's is exact; promtool, and the probe's own test",
    "HeadraceHitRateDrops": "needs a week of hit rates; promtool",
    "HeadraceFeedbackBehind": "a feedback worker that is too slow cannot be made from outside; promtool",
}
"""Alerts that no fault here proves -> why, and what proves them instead."""


@contextmanager
def _repeated(act: Callable[[], None]) -> Iterator[Callable[[], None]]:
    act()
    yield act


_poisoned = itertools.count()


def _send_poison(client: Producer) -> None:
    for value in BAD:
        client.produce(CLICKSTREAM, key=f"bad{next(_poisoned)}", value=value)
    client.poll(0)
