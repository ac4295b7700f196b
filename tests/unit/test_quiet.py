"""A line that repeats is said once in a while."""

import logging

import pytest

from streams import quiet
from streams.quiet import Repeats


def line(text: str) -> logging.LogRecord:
    return logging.LogRecord("librdkafka", logging.ERROR, "", 0, "%s", (text,), None)


def test_a_line_is_said_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(quiet, "monotonic_seconds", lambda: now)
    repeats = Repeats()
    refused = "FAIL [a#consumer-1] 127.0.0.1:9: Connection refused (after %dms in state CONNECT)"
    assert repeats.filter(line(refused % 0))
    assert not repeats.filter(line(refused % 1))
    now += 9.9
    assert not repeats.filter(line(refused % 0))
    now += 0.1
    assert repeats.filter(line(refused % 0))


def test_another_line_is_always_said() -> None:
    repeats = Repeats()
    assert all(repeats.filter(line(f"FAIL [a#consumer-{number}] refused")) for number in range(2_000))
