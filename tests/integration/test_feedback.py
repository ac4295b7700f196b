"""The feedback worker as a process, on the embedded broker and on real Kafka."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from encoder.identity import encoder_id
from streams.contracts import Output
from streams.kafka import producer
from streams.provision import create_topics
from streams.reading import read_to_end
from streams.settings import Settings, load_settings
from streams.topics import RECOMMENDATIONS, USER_ACTIONS, dead_letters
from tests.feedback_kill import SECONDS, differences, examples, send, trends_wrong, wait_until
from tests.feedback_traffic import CONTEXTS, PARTITIONS, Said, ends, expected, records, traffic
from tests.feedback_worker import Worker

pytestmark = pytest.mark.timeout(300)
SOURCES = (USER_ACTIONS, RECOMMENDATIONS)
BAD = (b"", b"{", b"\xff\xfe\x00", b"[1, 2]")


@pytest.fixture
def settings(broker: str) -> Settings:
    made = load_settings(
        kafka={
            "bootstrap_servers": broker,
            "group_prefix": f"test-{time.time_ns()}",
            "session_timeout_seconds": 6,
        }
    )
    create_topics(made, encoder_id(made.encoder))
    return made


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[Worker]:
    started = Worker(settings, tmp_path)
    yield started
    started.stop()


def publish(settings: Settings, outputs: Sequence[Output]) -> None:
    """Send records to their partitions, without a transaction."""
    client = producer(settings)
    for output in outputs:
        client.produce(output.topic, value=output.value, key=output.key, partition=output.partition)
        client.poll(0)
    assert client.flush(30) == 0


def letters(settings: Settings, topic: str) -> Counter[bytes]:
    found: Counter[bytes] = Counter()

    def keep(_: int, key: bytes, value: bytes | None) -> None:
        found[value or b""] += 1

    read_to_end(settings, dead_letters(topic), range(PARTITIONS), keep)
    return found


def test_examples_trends_and_metrics_are_those_of_the_pure_join_and_bad_bytes_are_kept_whole(
    settings: Settings, worker: Worker
) -> None:
    said = traffic(600, contexts=CONTEXTS)
    bad = [Output(topic, 1, b"bad", value) for topic in SOURCES for value in BAD]
    sent = [*records(said), *bad, *records(said[-40:]), *records(ends(said))]
    publish(settings, sent)
    want = expected(said)
    wait_until(lambda: len(examples(settings)) >= len(want), worker)
    assert differences(want, examples(settings)) == (0, 0)
    counts = sum(output.topic == USER_ACTIONS for output in sent)
    wait_until(
        lambda: worker.metrics()[f'headrace_feedback_messages_total{{topic="{USER_ACTIONS}"}}'] >= counts, worker
    )
    assert trends_wrong(settings) == 0
    for topic in SOURCES:
        assert letters(settings, topic) == Counter(BAD)

    wait_until(lambda: _lag(worker.metrics()) == [0] * PARTITIONS * len(SOURCES), worker)
    found = worker.metrics()
    assert found["headrace_streams_owned_partitions"] == PARTITIONS
    shown = Counter(example.evidence for example in want.values())
    assert found['headrace_feedback_examples_total{evidence="impression"}'] == shown["impression"] > 0
    assert found['headrace_feedback_examples_total{evidence="slate"}'] == shown["slate"] > 0
    assert found["headrace_feedback_duplicates_total"] >= 20, "actions said again at another offset"
    for topic in SOURCES:
        rejected = sum(value for name, value in found.items() if "rejected_total" in name and topic in name)
        assert rejected == len(BAD)
    for topic in (USER_ACTIONS, RECOMMENDATIONS):
        read = found[f'headrace_feedback_messages_total{{topic="{topic}"}}']
        assert read == sum(output.topic == topic for output in sent)
    assert found["headrace_feedback_handle_seconds_count"] > 0
    assert found["headrace_feedback_users"] >= PARTITIONS
    exposures, outcomes = _sum(found, "exposures"), _sum(found, "outcomes")
    assert exposures == _sum(found, "exposures_by_position") > 0
    assert outcomes == _sum(found, "outcomes_by_position") > 0
    assert worker.stop() == 0


def test_a_worker_that_meets_nothing_but_bad_records_ends_with_a_sentence_and_makes_no_dead_letter(
    settings: Settings, worker: Worker
) -> None:
    publish(settings, [Output(USER_ACTIONS, 2, None, b"{")] * 300)
    assert worker.process.wait(SECONDS) == 1
    assert "records cannot be used" in worker.log
    assert "HEADRACE_LOOP__MAX_REJECTED_SHARE" in worker.log
    assert "Traceback" not in worker.log
    assert not letters(settings, USER_ACTIONS)


@pytest.mark.kafka
def test_records_of_an_aborted_transaction_are_never_seen(empty_kafka: str, tmp_path: Path) -> None:
    made = load_settings(
        kafka={
            "bootstrap_servers": empty_kafka,
            "group_prefix": f"test-{time.time_ns()}",
            "session_timeout_seconds": 6,
        }
    )
    create_topics(made, encoder_id(made.encoder))
    client = producer(made, **{"transactional.id": f"traffic-{made.kafka.group_prefix}"})
    client.init_transactions(30)
    said = traffic(100)
    ghosts = [Said(each.partition, each.message) for each in traffic(100, seed=8)]
    send(client, list(records(ghosts)), commit=False)
    send(client, list(records(said)))
    send(client, list(records(ghosts)), commit=False)
    send(client, list(records(ends(said))))
    worker = Worker(made, tmp_path)
    try:
        want = expected(said)
        wait_until(lambda: len(examples(made)) >= len(want), worker)
        assert differences(want, examples(made)) == (0, 0)
    finally:
        worker.stop()


def test_an_erased_user_is_forgotten_by_worker_and_changelog(settings: Settings, worker: Worker) -> None:
    said = traffic(50)
    publish(settings, list(records(said)))
    users = {each.message.user_id: each.partition for each in said}
    wait_until(lambda: _value(worker, "users") == len(users), worker)
    gone, also = sorted(users)[:2]
    publish(
        settings,
        [
            Output(RECOMMENDATIONS, users[gone], gone.encode(), None),
            Output(USER_ACTIONS, users[also], also.encode(), None),
        ],
    )
    wait_until(lambda: _value(worker, "users") == len(users) - 2, worker)
    held: dict[bytes, bytes | None] = {}

    def keep(_: int, key: bytes, value: bytes | None) -> None:
        held[key] = value

    changelog = f"{settings.kafka.group_prefix}.feedback-users-changelog"
    read_to_end(settings, changelog, range(PARTITIONS), keep)
    assert {key for key, value in held.items() if value is None} == {gone.encode(), also.encode()}

    publish(settings, list(records(ends(said))))
    want = {name: each for name, each in expected(said).items() if each.user_id not in (gone, also)}
    wait_until(lambda: len(examples(settings)) >= len(want), worker)
    assert differences(want, examples(settings)) == (0, 0), "no example of those who were erased"


def _value(worker: Worker, name: str) -> float:
    return worker.metrics().get(f"headrace_feedback_{name}", -1.0)


def _sum(found: dict[str, float], name: str) -> float:
    return sum(value for key, value in found.items() if key.startswith(f"headrace_feedback_{name}_total{{"))


def _lag(found: dict[str, float]) -> list[float]:
    return [value for name, value in found.items() if name.startswith("headrace_feedback_lag_records{")]
