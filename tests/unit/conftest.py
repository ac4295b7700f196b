"""What several modules of these tests have in common."""

import os

import pytest


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every setting out of the environment for a test."""
    for name in list(os.environ):
        if name.startswith("HEADRACE_"):
            monkeypatch.delenv(name)
    # Set and removed through monkeypatch, so that what a command's options set is taken back too.
    for name in ("HEADRACE_KAFKA__BOOTSTRAP_SERVERS", "HEADRACE_CONFIG"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
