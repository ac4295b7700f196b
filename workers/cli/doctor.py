"""`headrace doctor`: what is wrong here, and what to do about it."""

import logging

import msgspec
import typer

from streams.errors import SettingError
from workers.cli.options import BootstrapServers, Json, settings_with

_UNWELL = 1


def doctor(as_json: Json = False, bootstrap_servers: BootstrapServers = None) -> None:
    """Examine Python, FAISS, BLAS, disk, encoder, broker, topics, model. Exit code 1: something does not work."""
    from workers.doctor.examination import examine, healthy
    from workers.doctor.findings import problem

    logging.getLogger("faiss").setLevel(logging.WARNING)
    try:
        findings = examine(settings_with(bootstrap_servers))
    except SettingError as error:
        findings = [problem("Settings", error.problem, error.action)]
    if as_json:
        told = [finding._asdict() for finding in findings]
        typer.echo(msgspec.json.encode({"healthy": healthy(findings), "findings": told}))
    else:
        from workers.doctor.report import show

        show(findings)
    if not healthy(findings):
        raise typer.Exit(_UNWELL)
