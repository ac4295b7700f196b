"""The doctor on this machine and on made-up ones: each finding says what to do, and never falls over."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import pytest
import torch
from rich.console import Console

from streams.errors import BrokerError
from streams.settings import load_settings
from workers.doctor import machine, models
from workers.doctor.examination import examine, healthy
from workers.doctor.findings import Finding, Status, examined, ok, problem, skipped, warning
from workers.doctor.report import show


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def headrace(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_this_machine_is_well_and_only_the_broker_is_missing() -> None:
    findings = examine(load_settings())
    assert healthy(findings)
    assert {finding.check for finding in findings} == {
        "Python", "Fold", "FAISS", "BLAS", "Disk", "Encoder", "Broker", "Topics", "Model",
    }  # fmt: skip
    by_check = {finding.check: finding for finding in findings}
    assert by_check["FAISS"].status is Status.OK
    assert by_check["BLAS"].said
    assert by_check["Broker"].status is Status.WARNING
    assert by_check["Topics"].status is by_check["Model"].status is Status.SKIPPED


def test_every_finding_that_is_not_well_says_what_to_do() -> None:
    for finding in examine(load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})):
        assert bool(finding.action) == (finding.status in (Status.WARNING, Status.PROBLEM))


def test_an_old_python_is_a_problem() -> None:
    (found,) = machine.python((3, 10, 2))
    assert found.status is Status.PROBLEM
    assert "3.11" in found.action


@pytest.mark.parametrize(("built", "status"), [(object, Status.OK), (None, Status.WARNING)])
def test_a_fold_that_was_not_compiled_is_told(
    built: object, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "Usual", built)
    (found,) = machine.fold()
    assert found.status is status


@pytest.mark.parametrize(
    ("free", "status"),
    [(50_000_000_000, Status.OK), (1_000_000_000, Status.WARNING), (1_000, Status.PROBLEM)],
)
def test_a_full_disk_is_told_before_it_is_full(
    free: int, status: Status, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 0, free))
    settings = load_settings(training={"directory": str(tmp_path / "not" / "yet" / "there")})
    assert {finding.status for finding in machine.disk(settings)} == {status}
    kept = load_settings(state={"store": "rocksdb", "rocksdb": {"directory": str(tmp_path / "states")}})
    assert any(str(tmp_path / "states") in finding.said for finding in machine.disk(kept))


def test_a_processor_whose_instructions_faiss_does_not_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_processor_flags", lambda: "flags: sse avx avx2")
    monkeypatch.setattr(faiss, "get_compile_options", lambda: "OPTIMIZE GENERIC")
    first, second = machine.faiss()
    assert (first.status, second.status) == (Status.WARNING, Status.OK)
    assert "AVX2" in first.said


def test_two_builds_of_faiss_in_one_environment_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_installed", lambda name: name in ("faiss-cpu", "faiss-gpu"))
    assert Status.PROBLEM in {finding.status for finding in machine.faiss()}


@pytest.mark.parametrize(
    ("encoder", "status"),
    [
        ({"model": "bundled"}, Status.OK),
        ({"model": "/no/such/folder"}, Status.PROBLEM),
        ({"model": "someone/some-model"}, Status.WARNING),
        ({"model": "someone/some-model", "revision": "abc"}, Status.OK),
    ],
)
def test_an_encoder_that_may_change_or_is_not_there_is_told(encoder: dict[str, str], status: Status) -> None:
    (found,) = models.encoder(load_settings(encoder=encoder))
    assert found.status is status


def test_a_gpu_that_is_chosen_and_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = load_settings(encoder={"device": "cuda"}, training={"device": "cuda"})
    for there, found in ((False, [Status.PROBLEM, Status.WARNING]), (True, [Status.OK])):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert [each.status for each in (*models.encoder(chosen), *models.training(chosen))] == found
    assert not list(models.training(load_settings()))


def test_a_folder_without_a_model_is_a_problem(tmp_path: Path) -> None:
    (found,) = models.encoder(load_settings(encoder={"model": str(tmp_path)}))
    assert found.status is Status.PROBLEM


def test_an_error_with_an_action_is_a_finding_and_a_defect_is_one_too() -> None:
    def refused() -> Iterator[Finding]:
        yield ok("x", "so far.")
        raise BrokerError("The broker is away.", "start it.")

    def broken() -> Iterator[Finding]:
        raise ZeroDivisionError("by zero")
        yield

    assert examined("x", refused) == [problem("x", "The broker is away.", "start it.")]
    (found,) = examined("x", broken)
    assert found.status is Status.PROBLEM
    assert "ZeroDivisionError" in found.said


def test_a_person_sees_each_finding_with_its_action_and_how_many_there_are() -> None:
    findings = [
        ok("A", "fine."),
        warning("B", "odd.", "look."),
        problem("C", "bad.", "act."),
        skipped("D", "dark."),
    ]
    console = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with console.file:
        show(findings, console)
        told = console.export_text()
    for finding in findings:
        assert finding.said in told
        assert finding.action in told
    assert "1 problem, 1 warning." in told


@pytest.mark.processes
def test_the_command_ends_with_1_when_something_does_not_work_and_with_0_otherwise() -> None:
    well = headrace("doctor", "--json")
    assert well.returncode == 0, well.stderr
    told: dict[str, Any] = json.loads(well.stdout)
    assert told["healthy"] is True
    assert all(set(each) == {"check", "status", "said", "action"} for each in told["findings"])
    wrong = headrace("doctor", "--json", HEADRACE_KAFKA__SESSION_TIMEOUT_SECONDS="never")
    assert wrong.returncode == 1
    (finding,) = json.loads(wrong.stdout)["findings"]
    assert finding["check"] == "Settings"
    assert "SESSION_TIMEOUT_SECONDS" in finding["said"] + finding["action"]
