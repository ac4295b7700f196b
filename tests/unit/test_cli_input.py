"""What a person or another program gets wrong is told in a sentence, and costs nothing else."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from confluent_kafka import Producer

from streams.codec import encode_json
from streams.contracts import Item, Recommendation, RecommendedItem, Record, Rejected, Source
from streams.dead_letters import dead_letter
from streams.embedded import EmbeddedBroker
from streams.privacy.pseudonyms import known_as
from streams.settings import load_settings
from streams.topics import CATALOGUE, CLICKSTREAM, RECOMMENDATIONS
from workers import explaining
from workers.cli.app import main

pytestmark = pytest.mark.usefixtures("bare_environment")

KEY = "k" * 32
LONG = "u" * 513
BAD_ARGUMENTS = [
    ["erase", ""], ["erase", LONG], ["erase", "\udcff"], ["ask", LONG, "boots"], ["ask", "u", "--exclude", ""],
    ["ask", "u", "--context", "NL"], ["ask", "u", "--context", "=NL"], ["ask", "u", "--context", "country="],
    ["ask", "u", "--context", "country=NL", "--context", "country=DE"], ["ask", "u", "--context", "c=\udcff"],
    ["explain", ""], ["recommendations", "get", ""], ["recommendations", "tail", "--user", LONG],
    ["items", "delete", "1", ""], ["items", "load", "/no/such.jsonl"],
    ["events", "produce", "/no/such.jsonl"], ["events", "produce", "/"],
    ["dlq", "show", "clickstream.events.v1", "--at", "seven"],
    ["dlq", "replay", "clickstream.events.v1", "--at", "0/1/2"],
]  # fmt: skip


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with EmbeddedBroker() as running:
        monkeypatch.setenv("HEADRACE_KAFKA__BOOTSTRAP_SERVERS", running.bootstrap_servers)
        yield running.bootstrap_servers


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["headrace", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def put(broker: str, *records: tuple[str, str, bytes]) -> None:
    """Put records there: topic, key, value."""
    client = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random"})
    for topic, key, value in records:
        client.produce(topic, key=key, value=value)
    assert client.flush(10) == 0


def slate(user_id: str) -> bytes:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return encode_json(
        Recommendation(
            recommendation_id="r",
            user_id=user_id,
            items=(RecommendedItem("i1", 1, 0.5, ()),),
            caused_by=(),
            source=Source(topic="t", partition=0, offset=0, create_time_ms=0),
            last_event_time=now,
            generated_at=now,
            valid_until=now,
            model_version="m",
            vector_offsets=(),
            encoder_id="e",
        )
    )


@pytest.mark.parametrize("command", BAD_ARGUMENTS, ids=lambda command: " ".join(command)[:40])
def test_an_argument_that_cannot_be_is_a_usage_error(
    command: list[str], broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(broker, (CATALOGUE, "i", b"{}"))
    assert ended(monkeypatch, *command) == 2
    assert "Invalid value" in capsys.readouterr().err


def test_a_slate_is_shown_with_titles_though_the_catalogue_holds_what_is_no_item(
    broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item = encode_json(Item(item_id="i1", title="Boots"))
    put(broker, (CATALOGUE, "bad", b"\xff"), (CATALOGUE, "i1", item), (RECOMMENDATIONS, "anna", slate("anna")))
    assert ended(monkeypatch, "recommendations", "get", "anna", "--titles") == 0
    assert "Boots" in capsys.readouterr().out


def test_what_is_no_slate_is_passed_over_by_a_reader_and_named_where_it_was_asked_for(
    broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(broker, (RECOMMENDATIONS, "bert", b"\xff"), (RECOMMENDATIONS, "anna", slate("anna")))
    assert ended(monkeypatch, "recommendations", "tail", "--from-beginning", "--count", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["user_id"] == "anna"
    assert ended(monkeypatch, "recommendations", "get", "bert") == 3
    assert "no slate" in capsys.readouterr().err


def test_a_user_is_named_by_their_own_id_where_pseudonyms_are_in_use(
    broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADRACE_PRIVACY__PSEUDONYM_KEY", KEY)
    name = known_as("anna", load_settings().privacy)
    put(broker, (RECOMMENDATIONS, name, slate(name)))
    assert ended(monkeypatch, "recommendations", "get", "anna", "--json") == 0
    assert json.loads(capsys.readouterr().out)["user_id"] == name
    tail = ["recommendations", "tail", "--from-beginning", "--count", "1", "--json", "--user", "anna"]
    assert ended(monkeypatch, *tail) == 0
    assert json.loads(capsys.readouterr().out)["user_id"] == name


def test_a_slate_is_explained_to_whoever_knows_the_users_own_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PRIVACY__PSEUDONYM_KEY", KEY)
    settings, asked = load_settings(), list[str]()
    monkeypatch.setattr(explaining, "_newest", lambda _, topic, name, decode: asked.append(name))
    assert explaining.explain_user(settings, "anna") is None
    assert asked == [known_as("anna", settings.privacy)] * 2


def test_the_newest_letter_is_the_newest_of_all_partitions(
    broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Producer({"bootstrap.servers": broker})
    moments = [1_700_000_000_000, 1_700_000_600_000, 1_700_000_300_000, 1_700_000_100_000]
    for partition, moment in enumerate(moments):
        letter = dead_letter(Rejected(Record(CATALOGUE, partition, 0, moment, b"k", b"{"), "malformed", "no JSON"))
        client.produce(
            letter.topic, letter.value, letter.key, partition, timestamp=moment, headers=list(letter.headers)
        )
    assert client.flush(10) == 0
    assert ended(monkeypatch, "dlq", "list", CATALOGUE, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["waiting"], row["newest"]) == (4, "2023-11-14T22:23:20Z")


def test_letters_that_are_not_there_are_told(
    broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(broker, (f"{CATALOGUE}.dlq", "i", b"{}"))
    assert ended(monkeypatch, "dlq", "show", CATALOGUE) == 0
    assert "no such letters" in capsys.readouterr().err


def test_events_come_from_a_file_or_from_standard_input_and_a_closed_one_is_a_usage_error(
    broker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    put(broker, (CLICKSTREAM, "there", b""))
    line = (
        b'{"event_id":"e","event_type":"search","user_id":"u","event_time":"2026-01-01T00:00:00Z","query":"q"}\n'
    )
    (tmp_path / "events.jsonl").write_bytes(line * 2)
    assert ended(monkeypatch, "events", "produce", str(tmp_path / "events.jsonl")) == 0
    assert "2 records delivered" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(line * 3)))
    assert ended(monkeypatch, "events", "produce", "-") == 0
    assert "3 records delivered" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", None)
    assert ended(monkeypatch, "events", "produce", "-") == 2
    assert "standard input is closed" in capsys.readouterr().err
