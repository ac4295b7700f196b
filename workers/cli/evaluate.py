"""`headrace evaluate`: how good the model of these settings is, beside what it must beat."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import Json, writable_file

_COLUMNS = {
    "hr_at_10": "HR",
    "ndcg_at_10": "NDCG",
    "mrr_at_10": "MRR",
    "recall_at_200": "R@200",
    "coverage": "cover",
    "popularity_bias": "bias",
    "diversity": "divers",
    "calibration_error": "calib",
}


def evaluate(
    *,
    dataset: Annotated[
        str, typer.Option(help="What to evaluate on: a data set's name or the path of a folder.")
    ] = "movielens-100k",
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="leave-one-out, validation, time-split, prequential or cold-items; may be repeated."),
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Newest share of the events that is foretold by time.")
    ] = 0.2,
    questions: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Ask so many questions of each protocol, spread evenly; else all."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the JSON there too.", callback=writable_file)
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Write an HTML page there: tables, curves, calibration.",
            callback=writable_file,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train and measure: full ranking of all items, seen ones masked for every system alike. Needs no broker."""
    import msgspec

    from streams.settings import load_settings
    from workers.datasets import load_dataset
    from workers.demo.console import Screen
    from workers.evaluate import evaluate_all, item_texts
    from workers.ranking.evaluation.evaluate import PROTOCOLS
    from workers.ranking.evaluation.page import page
    from workers.ranking.model.training import check_training

    names = protocol or ["prequential"]
    if unknown := sorted(set(names) - set(PROTOCOLS)):
        raise typer.BadParameter(
            f"{', '.join(unknown)}; there are: {', '.join(PROTOCOLS)}", param_hint="--protocol"
        )
    settings = load_settings()
    check_training(settings.training)
    data = load_dataset(dataset)
    items = item_texts(data, settings)
    with Screen().bar("epochs", settings.training.most_epochs * len(names), lambda: None) as advance:
        done = {"epochs": 0}

        def count(*_: object) -> None:
            done["epochs"] += 1
            advance(done["epochs"])

        found = evaluate_all(
            data, items, settings, names=names, share=share, most_questions=questions, progress=count
        )
    written = msgspec.json.format(msgspec.json.encode(found), indent=2)
    if output is not None:
        output.write_bytes(written + b"\n")
    if plots is not None:
        plots.write_text(page(found, _COLUMNS), encoding="utf-8")
    if as_json:
        typer.echo(written)
    else:
        for name, result in found["protocols"].items():
            _show(name, result)


def _show(name: str, result: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    columns = _COLUMNS | ({"worth_at_10": "worth"} if result["action_weights"] else {})
    table = Table(
        Column("system", no_wrap=True, min_width=14),
        *columns.values(),
        title=f"{name}: {result['questions']:,} questions of {result['users']:,} users",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,  # nine measures fit into 80 columns
    )
    for system, measures in result["systems"].items():
        table.add_row(system, *(f"{measures[key]:.4f}" if key in measures else "" for key in columns))
    console = Console()
    console.print(table)
    if result["actions"]:
        console.print(_actions(result["actions"]))
    console.print(_candidates(result["candidates"]))
    best, compared = next((key, value) for key, value in result.items() if key.endswith("_against"))
    for other, found in compared.items():
        value, low, high = found["ratio"]
        console.print(f"{best.removesuffix('_against')} over {other}: {value:.3f} × ({low:.3f} to {high:.3f})")


def _candidates(measured: dict[str, dict[str, float]]) -> object:
    from rich.table import Table

    from workers.ranking.evaluation.page import CANDIDATE_COLUMNS

    table = Table("source", *CANDIDATE_COLUMNS.values(), title="next items among the candidates")
    for source, measures in measured.items():
        table.add_row(source, *(f"{measures[column]:.4f}" for column in CANDIDATE_COLUMNS))
    return table


def _actions(measured: dict[str, dict[str, float]]) -> object:
    from rich.table import Table

    columns = ("share", "foretold", "log_loss", "base_log_loss", "auc")
    table = Table("action", *columns, title="what is done with the item that is taken up")
    for action, measures in measured.items():
        table.add_row(action, *(f"{measures[column]:.4f}" for column in columns))
    return table
