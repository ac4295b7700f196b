"""The command line as a person meets it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from streams.errors import BrokerError, DataError, SettingError, Transient
from workers.cli.app import app, exit_code, main

pytestmark = pytest.mark.usefixtures("bare_environment")

ROOT = Path(__file__).parents[2]
COMMANDS = [
    ["demo"], ["broker"], ["worker"], ["train"], ["evaluate"], ["topics", "create"], ["topics", "list"],
    ["items", "load"], ["items", "delete"], ["events", "produce"], ["recommendations", "get"],
    ["recommendations", "tail"], ["erase"], ["dlq", "list"], ["dlq", "show"], ["dlq", "replay"],
    ["models", "list"], ["models", "serve"], ["ask"], ["explain"], ["doctor"],
]  # fmt: skip
NEED_A_BROKER = [
    ["worker", "state"], ["train"], ["topics", "list"], ["topics", "create"], ["items", "load", "sample"],
    ["items", "delete", "1"], ["events", "produce", "-"], ["recommendations", "get", "1"],
    ["recommendations", "tail"], ["erase", "1"], ["ask", "1"], ["explain", "1"],
    ["models", "list"], ["models", "serve", "1"],
    ["dlq", "list"], ["dlq", "show", "clickstream.events.v1"], ["dlq", "replay", "clickstream.events.v1"],
]  # fmt: skip


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["headrace", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage: headrace" in result.output.replace("root", "headrace")


@pytest.mark.parametrize("command", NEED_A_BROKER, ids=" ".join)
def test_a_command_without_a_broker_says_so_in_one_line(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, *command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "kafka.bootstrap_servers" in said
    assert "HEADRACE_KAFKA__BOOTSTRAP_SERVERS" in said


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HEADRACE_LOOP__BATCH_RECORDS", "many")
    assert ended(monkeypatch, "topics", "list") == 2
    assert "loop.batch_records" in capsys.readouterr().err


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HEADRACE_KAFKA__BOOTSTRAP_SERVER", "localhost:9092")
    assert ended(monkeypatch, "topics", "list") == 2
    assert "HEADRACE_KAFKA__BOOTSTRAP_SERVER is no setting" in capsys.readouterr().err


def test_a_missing_configuration_file_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, "--config", "/no/such.yaml", "topics", "list") == 2


def test_a_wrong_value_in_the_configuration_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "headrace.yaml"
    path.write_text("ranking:\n  slate_length: 0\n")
    assert ended(monkeypatch, "--config", str(path), "topics", "list") == 2
    assert "ranking.slate_length" in capsys.readouterr().err


def test_exit_codes_tell_what_to_do() -> None:
    errors = [SettingError("p", "a"), DataError("p", "a"), BrokerError("p", "a"), Transient("p")]
    assert [exit_code(error) for error in errors] == [2, 3, 4, 5]


@pytest.mark.parametrize("command", [["demo", "--json"], ["evaluate", "--output"], ["evaluate", "--plots"]])
@pytest.mark.parametrize("path", ["/no/such/folder/out.json", "/"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    command: list[str], path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, *command, path) == 2
    assert ("/no/such/folder" if path != "/" else "cannot be written") in capsys.readouterr().err


def test_an_owner_without_a_pipe_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert ended(monkeypatch, "broker", "--stop-at-eof") == 2
    assert "standard input" in capsys.readouterr().err


def test_a_file_of_somebody_elses_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "taken").touch()
    assert ended(monkeypatch, "demo", "--run-dir", str(tmp_path / "taken" / "run")) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "taken" in said


def test_every_command_that_is_written_down_exists() -> None:
    there: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    told = [ROOT / "README.md"]
    for folder in ("deploy", "encoder", "index", "streams", "workers"):
        told += [path for kind in ("md", "py", "yaml") for path in (ROOT / folder).rglob(f"*.{kind}")]
    found = set()
    for path in told:
        for name, rest in re.findall(r"(?:^|`)headrace ([a-z]+)(?: ([a-z]+))?", path.read_text(), re.MULTILINE):
            found.add(name)
            assert name in there, f"{path}: headrace {name}"
            below = getattr(there[name], "commands", None)
            assert below is None or not rest or rest in below, f"{path}: headrace {name} {rest}"
    assert found >= {"demo", "worker", "models", "dlq", "doctor"}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, workers.cli.app; sys.exit(len({'torch', 'faiss', 'confluent_kafka'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0
