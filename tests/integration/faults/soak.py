"""`make soak`: every fault, in random order, for many seeds. `python -m tests.integration.faults.soak --seeds 20`.

Prints a line a fault and a verdict a seed, ends with 1 if anything was lost, doubled or stuck, and keeps the logs
of such a seed. Needs `HEADRACE_TEST_KAFKA_JARS`.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from encoder.identity import encoder_id
from streams.provision import create_topics
from streams.settings import load_settings
from tests.integration.conftest import JARS, SKIPPED
from tests.integration.faults.fleet import Fleet
from tests.integration.faults.reference import Verdict
from tests.integration.faults.scenarios import ALL, Stage
from tests.integration.kafka_node import KafkaNode

QUICK: Final = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
"""A broker looks for dead transactions every 10 s; the tests need not wait for that."""
_ATTEMPTS: Final = 3


class Forgotten(Exception):
    """The broker has left transactions without an end; what follows says nothing about the workers."""


def play_to_a_verdict(
    jars: Path,
    directory: Path,
    seed: int,
    names: Sequence[str] = tuple(ALL),
    rate: float = 500,
    say: Callable[[str], None] = print,
) -> Verdict:
    """Do as `play`, again on a fresh broker when one forgot transactions; raises `Forgotten` if all of them do."""
    for attempt in range(_ATTEMPTS - 1):
        try:
            return play(jars, directory / str(attempt), seed, names, rate, say)
        except Forgotten:
            say("  THE BROKER FORGOT TRANSACTIONS when it was killed: again, on a fresh one")
    return play(jars, directory / str(_ATTEMPTS), seed, names, rate, say)


def play(
    jars: Path,
    directory: Path,
    seed: int,
    names: Sequence[str] = tuple(ALL),
    rate: float = 500,
    say: Callable[[str], None] = print,
) -> Verdict:
    """Play the faults of one seed, in an order of its own, on a broker of its own; return what is in the log.

    Raises:
        AssertionError: something got stuck or did not die as it should.
        Forgotten: see there.
    """
    draw = random.Random(seed)
    directory.mkdir(parents=True)
    node = KafkaNode(jars, directory, QUICK, controller_apart=True)
    node.start()
    settings = load_settings(
        kafka={
            "bootstrap_servers": node.bootstrap_servers,
            "group_prefix": f"soak{seed}",
            "session_timeout_seconds": 3,
            "transaction_timeout_seconds": 4,
        }
    )
    try:
        create_topics(settings, encoder_id(settings.encoder))
        with Fleet(settings, directory) as fleet:
            fleet.start("a")
            fleet.start("b")
            fleet.wait_ready("a", "b")
            stage = Stage(settings, node, fleet, draw, rate)
            for name in draw.sample(list(names), len(names)):
                began = time.monotonic()
                ALL[name](stage)
                say(f"  {name}: {time.monotonic() - began:.1f} s")
            verdict = stage.judged()
    except AssertionError:
        if node.forgot_markers:
            raise Forgotten from None
        raise
    finally:
        node.stop()
    if node.forgot_markers and not verdict.equal:
        raise Forgotten
    return verdict


def _wrong(jars: Path, directory: Path, seed: int, names: Sequence[str], rate: float) -> str | None:
    try:
        verdict = play_to_a_verdict(jars, directory, seed, names, rate)
    except AssertionError as error:
        return str(error)
    except Forgotten:
        return f"{_ATTEMPTS} brokers forgot transactions when they were killed: this seed has no verdict"
    print(f"  {verdict}", flush=True)
    return None if verdict.equal else str(verdict)


def main() -> int:
    """Play the seeds and return how many went wrong, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--rate", type=float, default=500, help="records a second")
    parser.add_argument("--faults", nargs="*", default=list(ALL), choices=list(ALL), metavar="FAULT")
    chosen = parser.parse_args()
    if not (jars := os.environ.get(JARS)):
        print(SKIPPED, file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="headrace-soak-"))
    wrong: dict[int, str] = {}
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        print(f"seed {seed}", flush=True)
        if (why := _wrong(Path(jars), directory / str(seed), seed, chosen.faults, chosen.rate)) is None:
            shutil.rmtree(directory / str(seed))
        else:
            wrong[seed] = why
            print(f"  WRONG, logs in {directory / str(seed)}: {why[:500]}", flush=True)
    print(f"{chosen.seeds - len(wrong)} of {chosen.seeds} seeds right; wrong: {sorted(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
