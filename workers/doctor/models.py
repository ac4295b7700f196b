"""The two models: the one that reads texts, and the one that ranks."""

from collections.abc import Iterator
from pathlib import Path

from encoder.identity import BUNDLED, encoder_id
from streams.clock import Clock, wall_seconds
from streams.kafka import partition_count
from streams.settings import Settings
from streams.slo import MODEL_AGE_SECONDS
from streams.topics import MODELS
from workers.doctor.findings import Finding, ok, problem, skipped, warning

_DAY_SECONDS = 86_400.0


def encoder(settings: Settings) -> Iterator[Finding]:
    """Look at the text encoder, without loading it."""
    name, made = settings.encoder.model, encoder_id(settings.encoder)
    if settings.encoder.device == "cuda" and not _gpu():
        yield problem(
            "Encoder",
            "Setting encoder.device is cuda, and torch sees no GPU.",
            "set HEADRACE_ENCODER__DEVICE=auto.",
        )
        return
    if name == BUNDLED:
        yield ok("Encoder", f"The bundled model, as {made}.")
    elif Path(name).is_dir():
        whole = (Path(name) / "modules.json").is_file() or (Path(name) / "config.json").is_file()
        if whole:
            yield ok("Encoder", f"The model in {name}, as {made}.")
        else:
            yield problem(
                "Encoder", f"{name} holds no model.", "name a folder that sentence-transformers can load."
            )
    elif name.startswith((".", "/", "~")):
        yield problem("Encoder", f"There is no folder {name}.", "correct HEADRACE_ENCODER__MODEL.")
    elif settings.encoder.revision is None:
        yield warning(
            "Encoder",
            f"{name} is downloaded at its newest revision, and another one makes other vectors under the same id.",
            "pin it: HEADRACE_ENCODER__REVISION.",
        )
    else:
        yield ok("Encoder", f"{name} at {settings.encoder.revision}, as {made}.")


def training(settings: Settings) -> Iterator[Finding]:
    """Look at where models are trained; nothing is found where that is left open. Workers run without it."""
    if settings.training.device == "cuda" and not _gpu():
        yield warning(
            "Training",
            "Setting training.device is cuda, and torch sees no GPU: `headrace train` stops here.",
            "set HEADRACE_TRAINING__DEVICE=auto, or train elsewhere.",
        )


def ranking_model(settings: Settings, clock: Clock = wall_seconds) -> Iterator[Finding]:
    """Look at the announced model, and load it."""
    from workers.announcing import announcements
    from workers.ranking.registry import load_announced

    if partition_count(settings, MODELS) == 0:
        yield skipped("Model", f"There is no topic {MODELS}.")
        return
    name = settings.ranking.model_name
    champion = announcements(settings).champion
    if champion is None:
        yield warning(
            "Model",
            f"No model is announced ({name}@champion): ranking workers wait for one and make no slates.",
            "load the catalogue (`headrace items load FILE`), let the embedding worker read it, "
            "then run `headrace train --dataset DIRECTORY`.",
        )
        return
    bundle = load_announced(champion, encoder_id(settings.encoder))
    age_seconds = clock() - champion.created_at.timestamp()
    said = (
        f"{name}/{champion.version} is whole: {len(bundle.items.item_ids)} items, "
        f"{age_seconds / _DAY_SECONDS:.1f} days old."
    )
    if age_seconds > MODEL_AGE_SECONDS:
        yield warning("Model", said, "train a new one: `headrace train`.")
    else:
        yield ok("Model", said)


def _gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())
