"""How long a partition stands still when a worker or the broker dies; how long an event takes when none does."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from streams.clock import wall_seconds
from tests.bench.state_parts.watch import Feed, Watch
from tests.bench.state_parts.workload import fresh
from tests.integration.faults.fleet import Fleet, wait_until
from tests.integration.kafka_node import KafkaNode

_CALM_SECONDS = 3.0
_BACK_AFTER_SECONDS = 1.0
_RATE = 500.0


def takeover_seconds(bootstrap_servers: str, back: bool) -> float:
    """Return the longest silence after a kill -9 of one of two workers, session timeout 6 s.

    Args:
        back: whether it is started again after a second, under the same name.
    """

    def hurt(fleet: Fleet) -> float:
        fleet.kill("a")
        if back:
            time.sleep(_BACK_AFTER_SECONDS)
            fleet.start("a")
        else:
            del fleet.processes["a"]
        return 0.0

    return _silence_seconds(bootstrap_servers, f"takeover-{back}", hurt)


def broker_restart_silence_seconds(node: KafkaNode) -> float:
    """Return the longest silence after a kill -9 of the broker, less the time in which there was no broker."""

    def hurt(fleet: Fleet) -> float:
        began = wall_seconds()
        node.kill()
        time.sleep(_BACK_AFTER_SECONDS)
        node.start()
        return wall_seconds() - began

    return _silence_seconds(node.bootstrap_servers, "broker", hurt)


def _silence_seconds(bootstrap_servers: str, name: str, hurt: Callable[[Fleet], float]) -> float:
    settings = fresh(bootstrap_servers, name)
    with tempfile.TemporaryDirectory() as directory, Fleet(settings, Path(directory)) as fleet:
        fleet.start("a")
        fleet.start("b")
        fleet.wait_ready("a", "b")
        with Watch(settings) as watch, Feed(settings, _RATE):
            wait_until(lambda: watch.shows(0.0), "states come", fleet.tails)
            time.sleep(_CALM_SECONDS)
            since = wall_seconds()
            absence = hurt(fleet)
            healed = wall_seconds()

            def shows() -> bool:
                fleet.tend()
                return watch.shows(healed)

            wait_until(shows, "every partition goes on", fleet.tails)
            return watch.silence_seconds(since) - absence


def event_to_state_ms(bootstrap_servers: str, seconds: float, warm_seconds: float) -> list[float]:
    """Return how long each event took to become a state that can be read, at 500 events a second.

    Args:
        warm_seconds: of that load before: for about a minute the compiler of a broker that has just started takes
            most of a core, and a transaction costs several times what it does later.
    """
    settings = fresh(bootstrap_servers, "latency")
    with tempfile.TemporaryDirectory() as directory, Fleet(settings, Path(directory)) as fleet:
        fleet.start("a")
        fleet.wait_ready("a")
        with Watch(settings) as watch, Feed(settings, _RATE):
            wait_until(lambda: watch.shows(0.0), "states come", fleet.tails)
            time.sleep(warm_seconds)
            since = wall_seconds()
            time.sleep(seconds)
    return [(seen.at - seen.sent_at) * 1000 for seen in watch.seen if seen.sent_at > since]
