"""`headrace demo`: the main job, end to end, on real data."""

import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from workers.cli.options import BootstrapServers, settings_with, writable_file

_TERMINATED_EXIT = 143


def demo(
    *,
    events: Annotated[
        int | None,
        typer.Option(min=1, help="Replay the newest N events. (Default: 10,000, or half of a smaller data set.)"),
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, help="Users who wait for a slate at once.")] = 64,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Most events a second. (Default: as fast as slates come.)")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="movielens-100k, sample, or a folder with items.jsonl and events.jsonl.")
    ] = "movielens-100k",
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write the summary as JSON; - is standard output.",
            callback=writable_file,
        ),
    ] = None,
    restart_workers: Annotated[
        bool, typer.Option("--restart-workers", help="Start a worker that died again instead of ending.")
    ] = False,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Stay up after the summary, to produce events by hand.")
    ] = False,
    reset_topics: Annotated[
        bool, typer.Option("--reset-topics", help="On a real Kafka: delete Headrace's topics first.")
    ] = False,
    run_dir: Annotated[
        Path | None, typer.Option(file_okay=False, help="For logs and metrics. (Default: a temporary folder.)")
    ] = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Start a broker and the workers, replay a clickstream, read the recommendations, and measure them."""
    settings = settings_with(bootstrap_servers)
    signal.signal(signal.SIGTERM, _terminate)

    import msgspec
    from rich.console import Console

    from workers.demo.fit import check_answers
    from workers.demo.options import DemoOptions
    from workers.demo.run import run
    from workers.demo.summary import Summary

    check_answers(settings)
    to_stdout = json_file == Path("-")
    behind = 0

    def finished(summary: Summary) -> None:
        nonlocal behind
        behind = summary.users - summary.users_up_to_date
        text = msgspec.json.format(msgspec.json.encode(summary.as_dict()), indent=2).decode()
        if to_stdout:
            typer.echo(text)
        elif json_file is not None:
            json_file.write_text(text + "\n")

    directory = run_dir or Path(tempfile.mkdtemp(prefix="headrace-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    options = DemoOptions(
        dataset=dataset,
        events=events,
        sessions=sessions,
        rate=rate,
        restart_workers=restart_workers,
        keep_running=keep_running,
        reset_topics=reset_topics,
        directory=directory,
    )
    run(options, settings, finished, Console(stderr=to_stdout, highlight=False, soft_wrap=True))
    if behind:
        typer.echo(f"{behind} users are not up to date; the logs in {directory} say why.", err=True)
        raise typer.Exit(1)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(_TERMINATED_EXIT)
