"""`make bench-state`: what the state plane costs, how quick it is, and what dying does to it.

On a Kafka of its own, from the jars that `HEADRACE_TEST_KAFKA_JARS` names: it is killed on the way. `--only PART`
measures some parts and keeps the figures of the others. `--smoke` is small, saves nothing, and leaves out what
needs minutes; it says what.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from streams.settings import Settings
from tests.bench.report import Figure, percentiles, save
from tests.bench.state_parts.silence import broker_restart_silence_seconds, event_to_state_ms, takeover_seconds
from tests.bench.state_parts.sizes import states
from tests.bench.state_parts.workload import fill, fresh
from tests.integration.conftest import JARS, SKIPPED
from tests.integration.faults.soak import Forgotten, play_to_a_verdict
from tests.integration.kafka_node import KafkaNode


class Size(NamedTuple):
    """How much each part takes."""

    turns: int = 5
    events: int = 1_000_000
    faust_events: int = 60_000
    memory_users: int = 50_000
    rocksdb_users: int = 1_000_000
    restored_users: int = 200_000
    latency_seconds: float = 20.0
    warm_seconds: float = 60.0
    slate_events: int = 4_000


SMOKE: Final = Size(1, 20_000, 2_000, 2_000, 20_000, 5_000, 2.0, 2.0, 0)
_PART: Final = "tests.bench.state_parts"
_WARMING_RUNS: Final = 3
_WARMING_EVENTS: Final = 3_000


def throughput(node: KafkaNode, size: Size) -> list[Figure]:
    """Fold the workload, pass it on undecoded, and put a part of it through a Faust table, in turns.

    The machine is not alone: each figure is the median of its turns, a ratio that of the ratios within a turn.
    """
    turns = [_rates(node, size, turn) for turn in range(size.turns)]
    state, bare, faust = (median(turn[kind] for turn in turns) for kind in ("state", "bare", "faust"))
    times_faust = median(turn["state"] / turn["faust"] for turn in turns)
    share = median(turn["state"] / turn["bare"] for turn in turns)
    return [
        Figure("events_per_cpu_second", state, "events", ">= 150000"),
        Figure("times_faust_table", times_faust, "×", ">= 20"),
        Figure("share_of_bare_loop", share, "of its rate", ">= 0.35"),
        Figure("bare_loop_per_cpu_second", bare, "events"),
        Figure("faust_table_per_cpu_second", faust, "events"),
    ]


def _rates(node: KafkaNode, size: Size, turn: int) -> dict[str, float]:
    """Return the records that each takes a second of processor time, in one turn."""
    settings = fresh(node.bootstrap_servers, f"throughput-{turn}")
    fill(settings, size.events)
    found = {kind: _run(settings, "loops", kind, size.events) for kind in ("state", "bare")}
    plain = fresh(node.bootstrap_servers, f"faust-{turn}", compression="none")
    fill(plain, size.faust_events)
    found["faust"] = _run(plain, "faust_table", size.faust_events)
    rates = {kind: each["records"] / each["cpu"] for kind, each in found.items()}
    for kind, each in found.items():
        print(f"{kind}: {rates[kind]:,.0f} a CPU-second, {each['records'] / each['wall']:,.0f} a second")
    return rates


def memory(node: KafkaNode, size: Size) -> list[Figure]:
    """Hold users of 20 events in memory, and a million on disk."""
    settings = fresh(node.bootstrap_servers, "memory")
    grown = _run(settings, "sizes", "rocksdb", size.rocksdb_users)
    return [
        Figure(
            "bytes_per_user_20_events", _run(settings, "sizes", "memory", size.memory_users), "bytes", "<= 1024"
        ),
        Figure("rocksdb_growth_mb_last_half_of_users", grown / 1e6, f"MB, {size.rocksdb_users:,} users", "<= 64"),
    ]


def restore(node: KafkaNode, size: Size) -> list[Figure]:
    """Read the states of users with 20 events back."""
    from streams.kafka import producer  # noqa: PLC0415
    from streams.partitioner import owner  # noqa: PLC0415
    from streams.store import MemoryStore  # noqa: PLC0415

    settings = fresh(node.bootstrap_servers, "restore")
    client = producer(settings, linger_ms=20, queue_buffering_max_messages=1_000_000)
    for output in states(size.restored_users, MemoryStore()):
        assert output.key is not None
        home = owner(output.key, settings.topics.partitions)
        client.produce(output.topic, key=output.key, value=output.value, partition=home)
    assert client.flush(120) == 0
    found = _run(settings, "loops", "restore", 0)
    assert found["records"] == size.restored_users, found
    print(f"restored: {found['records'] / found['wall']:,.0f} users a second")
    return [
        Figure("restored_users_per_cpu_second", found["records"] / found["cpu"], "users", ">= 200000"),
    ]


def latency(node: KafkaNode, size: Size) -> list[Figure]:
    """Send 500 events a second and see when their states can be read."""
    taken = event_to_state_ms(node.bootstrap_servers, size.latency_seconds, size.warm_seconds)
    return percentiles("event_to_state_ms", taken, "ms", ("<= 10", "<= 50"))


def takeover(node: KafkaNode, size: Size) -> list[Figure]:
    """Kill one of two workers, and later another for good."""
    back = takeover_seconds(node.bootstrap_servers, back=True)
    gone = takeover_seconds(node.bootstrap_servers, back=False)
    return [
        Figure("takeover_seconds_back", back, "s", "<= 2.5"),
        Figure("takeover_seconds_gone", gone, "s", "<= 8"),
    ]


def broker(node: KafkaNode, size: Size) -> list[Figure]:
    """Kill a broker whose controller lives on, and start it again; a new one for each turn."""
    found = []
    for _ in range(size.turns):
        with _node(os.environ[JARS], controller_apart=True) as own:
            found.append(broker_restart_silence_seconds(own))
            print(f"silent for {found[-1]:.1f} s")
    return [
        Figure("broker_restart_silence_seconds", max(found), f"s, the longest of {len(found)} turns", "<= 5"),
        Figure("broker_restart_silence_median_seconds", median(found), "s"),
    ]


def slate(node: KafkaNode, size: Size) -> list[Figure]:
    """Run the whole main job at 200 events a second; Kafka and all workers share this machine.

    Twice, on a broker that has just been started and on the same one later: on these two cores its compiler takes
    what the workers need, for minutes. In between it gets to know its work with the generated data set.
    """
    fresh_broker = _main_job_freshness(node, "movielens-100k", size.slate_events)
    for _ in range(_WARMING_RUNS):
        _main_job_freshness(node, "sample", _WARMING_EVENTS)
    found = _main_job_freshness(node, "movielens-100k", size.slate_events)
    return [
        Figure("event_to_slate_ms_p50", found["p50"] * 1000, "ms", "<= 50"),
        Figure("event_to_slate_ms_p99", found["p99"] * 1000, "ms", "<= 250"),
        Figure("event_to_slate_fresh_broker_ms_p50", fresh_broker["p50"] * 1000, "ms"),
        Figure("event_to_slate_fresh_broker_ms_p99", fresh_broker["p99"] * 1000, "ms"),
    ]


def _main_job_freshness(node: KafkaNode, dataset: str, events: int) -> dict[str, float]:
    """Return the demo's own quantiles from event to slate, seconds."""
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        command = [sys.executable, "-m", "workers.cli", "demo", "--bootstrap-servers", node.bootstrap_servers]
        command += ["--dataset", dataset, "--rate", "200", "--events", str(events)]
        subprocess.run([*command, "--reset-topics", "--json", str(summary)], check=True, stdout=subprocess.DEVNULL)
        found: dict[str, float] = json.loads(summary.read_text())["freshness_seconds"]
        print(f"{dataset}: event to slate {found['p50'] * 1000:.0f} ms p50, {found['p99'] * 1000:.0f} ms p99")
    return found


def faults(node: KafkaNode, size: Size) -> list[Figure]:
    """Play every fault once, on a broker of its own."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            verdict = play_to_a_verdict(Path(os.environ[JARS]), Path(directory), seed=1)
        except Forgotten:
            print("NOT MEASURED: faults; every broker forgot transactions when it was killed")
            return []
    print(verdict)
    return [
        Figure("restored_state_equals_reference", float(verdict.equal), "", "== 1"),
        Figure("lost", verdict.lost, "events", "== 0"),
        Figure("doubled", verdict.doubled, "events", "== 0"),
    ]


Part = Callable[[KafkaNode, Size], list[Figure]]
QUICK: Final[tuple[Part, ...]] = (throughput, memory, restore, latency)
SLOW: Final[tuple[Part, ...]] = (takeover, slate, broker, faults)


def _run(settings: Settings, part: str, *arguments: object) -> Any:
    """Run a part in a process of its own and return what it printed last."""
    environment = {
        "HEADRACE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "HEADRACE_KAFKA__GROUP_PREFIX": settings.kafka.group_prefix,
        "HEADRACE_KAFKA__PROPERTIES__COMPRESSION.TYPE": "lz4",
        "HEADRACE_TOPICS__PARTITIONS": str(settings.topics.partitions),
    }
    command = [sys.executable, "-W", "ignore", "-m", f"{_PART}.{part}", *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _node(jars: str, controller_apart: bool = False) -> Iterator[KafkaNode]:
    with tempfile.TemporaryDirectory() as directory:
        node = KafkaNode(Path(jars), Path(directory), controller_apart=controller_apart)
        node.start()
        try:
            yield node
        finally:
            node.stop()


def main() -> int:
    """Measure and save; with `--smoke`, only show that it works."""
    parts = {part.__name__: part for part in (*QUICK, *SLOW)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small, saves nothing, leaves out what takes minutes")
    parser.add_argument("--only", nargs="+", choices=list(parts), metavar="PART")
    chosen = parser.parse_args()
    if not (jars := os.environ.get(JARS)):
        print(SKIPPED, file=sys.stderr)
        return 2
    names = chosen.only or ([part.__name__ for part in QUICK] if chosen.smoke else list(parts))
    found: list[Figure] = []
    with _node(jars) as node:
        for name in names:
            figures = parts[name](node, SMOKE if chosen.smoke else Size())
            found += figures
            for figure in figures:
                print(f"{figure.key}: {figure.value:,.4g} {figure.unit}  {figure.goal or ''}", flush=True)
    left_out = [name for name in parts if name not in names]
    if left_out:
        print(f"NOT MEASURED in this run: {', '.join(left_out)}")
    if not chosen.smoke:
        print(save("state", found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
