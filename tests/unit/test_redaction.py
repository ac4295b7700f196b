"""No secret reaches a log line."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from streams.settings import Settings
from streams.settings.kafka import LogSettings
from workers.redaction import REDACTED, redact
from workers.telemetry import configure


def shown(**event: object) -> dict[str, object]:
    return dict(redact(None, "info", dict(event)))


@pytest.mark.parametrize(
    "name",
    ["password", "sasl.password", "sasl_username", "Client_Secret", "access_token", "ssl.key.password"],
)
def test_a_value_with_a_secret_name_is_not_shown(name: str) -> None:
    assert shown(**{name: "hunter2"}) == {name: REDACTED}


def test_a_secret_value_is_not_shown_under_any_name() -> None:
    assert shown(x=SecretStr("hunter2"), y=[SecretStr("hunter2")]) == {"x": REDACTED, "y": [REDACTED]}


def test_secrets_inside_mappings_are_not_shown() -> None:
    assert shown(kafka={"properties": {"sasl.password": "hunter2", "linger.ms": "5"}}) == {
        "kafka": {"properties": {"sasl.password": REDACTED, "linger.ms": "5"}}
    }


@pytest.mark.parametrize(
    "text",
    [
        "refused: sasl.password=hunter2",
        "{'password': 'hunter2', 'a': 1}",
        'config {"client_secret": "hunter2"}',
        "proxy https://me:hunter2@example.org/",
    ],
)
def test_secrets_spelled_out_in_a_text_are_not_shown(text: str) -> None:
    assert "hunter2" not in str(shown(event=text)["event"])


def test_a_number_of_tokens_is_no_secret() -> None:
    assert shown(max_tokens=256, token_budget=4096) == {"max_tokens": 256, "token_budget": 4096}


def test_ordinary_values_stay_as_they_are() -> None:
    event = {"event": "restored", "topic": "user.state.v1", "records": 3, "seconds": 0.5, "none": None}
    assert shown(**event) == event


@pytest.fixture
def clean_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.usefixtures("clean_logging")
def test_log_lines_are_json_that_says_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(instance="pod-7"), "state")
    structlog.get_logger("x").info("hello", records=2, password="hunter2")
    logging.getLogger("library").warning("token=%s", "hunter2")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["hello", f"token={REDACTED}"]
    assert {(line["instance"], line["worker"]) for line in lines} == {("pod-7", "state")}
    assert lines[0]["password"] == REDACTED


@pytest.mark.usefixtures("clean_logging")
@pytest.mark.parametrize("kind", ["json", "console"])
def test_a_traceback_shows_no_secret(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log=LogSettings.model_validate({"format": kind})), "state")
    try:
        raise ValueError("sasl.password=hunter2")
    except ValueError:
        structlog.get_logger().exception("failed")
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "hunter2" not in text.replace("raise ValueError", "")
