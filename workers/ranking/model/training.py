"""From events and text vectors to a bundle."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from encoder.places import check_adapters, check_device, chosen_device
from streams.clock import Clock, from_ms, wall_seconds
from streams.contracts import Event, Item, ItemVector
from streams.errors import DataError
from streams.settings.ranking import IndexSettings
from streams.settings.state import StateSettings
from streams.settings.training import NOT_LEARNED, TrainingSettings
from workers.ranking.model.action_training import teach_actions
from workers.ranking.model.adding import add_scorers
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.catalogue import count_items
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.chosen_features import check_features
from workers.ranking.model.course import Epoch
from workers.ranking.model.cross import described
from workers.ranking.model.fitting import Fitted, fit
from workers.ranking.model.item_lists import in_order, laid_out
from workers.ranking.model.manifest import DataFacts
from workers.ranking.model.second_stage import SecondStage
from workers.ranking.model.sequences import Sequences, read_events
from workers.ranking.model.towers import Shape, TwoTowers

LEAST_EVENTS: Final = 100


class ItemTexts(NamedTuple):
    """The catalogue as the encoder sees it.

    Attributes:
        item_ids: n ids.
        text_vectors: float32 (n, text_dimension), of `Encoder.encode_documents`.
        texts: n texts of `described`, for the cross-encoder; empty where none is trained.
    """

    item_ids: tuple[str, ...]
    text_vectors: npt.NDArray[np.float32]
    texts: tuple[str, ...] = ()


def train(
    items: ItemTexts,
    interactions: Iterable[Event],
    settings: TrainingSettings,
    state: StateSettings,
    encoder_id: str,
    *,
    index: IndexSettings | None = None,
    progress: Callable[[Epoch], None] = lambda _: None,
    checkpoints: Path | None = None,
    clock: Clock = wall_seconds,
) -> Bundle:
    """Return the model trained on `interactions`.

    First the towers: the newest `settings.validation_share` of the time line is held out, this stage stops
    when NDCG@10 there has not risen for `settings.patience` measurements, and the averaged weights that did
    best go on. Then the re-ranker learns from what was held out, and for `settings.finish_epochs` the towers learn
    from everything. Last come
    the action heads and the further scorers that `settings.stages` names, which change nothing of the rest. On one
    machine equal arguments give bundles of equal version, as long as torch runs as many threads on the same
    device. The bundle is on the CPU, wherever it was trained.

    Args:
        items: the catalogue; items without events help to centre the text vectors only.
        interactions: read once, equal times of a user in replay order; impressions, searches, events of unknown
            items, repeated ids and ratings outside `state.rating_scale` are left out and counted in the manifest.
        settings: sizes, duration, seed.
        state: `history_length` and `rating_scale`, which serving must share.
        encoder_id: of the encoder that made the text vectors.
        index: how workers search; where they search by lists, those are trained too. None trains none.
        progress: called after every epoch.
        checkpoints: a directory; training that was killed goes on from the last epoch in it, if data, items
            and settings are the same, and gives the bundle that it would have given. None keeps nothing.
        clock: says when the bundle was made.

    Raises:
        DataError: too few usable events.
        SettingError: see `check_training`.
    """
    check_training(settings)
    sequences, ignored = read_events(interactions, items.item_ids, state.rating_scale)
    return train_on(
        sequences,
        items,
        settings,
        state,
        encoder_id,
        index=index,
        ignored=ignored,
        progress=progress,
        checkpoints=checkpoints,
        clock=clock,
    )


def train_on(
    sequences: Sequences,
    items: ItemTexts,
    settings: TrainingSettings,
    state: StateSettings,
    encoder_id: str,
    *,
    index: IndexSettings | None = None,
    ignored: dict[str, int] | None = None,
    progress: Callable[[Epoch], None] = lambda _: None,
    checkpoints: Path | None = None,
    clock: Clock = wall_seconds,
) -> Bundle:
    """Return the model trained on `sequences`, whose rows count `items`; all else as in `train`.

    Args:
        ignored: events that were left out of `sequences`, by reason.

    Raises:
        DataError: too few events.
        SettingError: as `train`.
        ValueError: a cross-encoder is to be trained, and `items` has no texts.
    """
    check_training(settings)
    if "cross_encoder" in settings.stages and len(items.texts) != len(items.item_ids):
        raise ValueError("the cross-encoder reads texts, and the items have none")
    ignored = ignored or {}
    times_ms = sequences.events.times_ms
    if len(times_ms) < LEAST_EVENTS:
        raise DataError(
            f"There are {len(times_ms)} events to train on, {LEAST_EVENTS} are needed; left out: {ignored}.",
            "collect more events, or check that their item ids are the catalogue's.",
        )
    known, rows = np.unique(sequences.events.rows, return_inverse=True)
    sequences = sequences._replace(events=sequences.events._replace(rows=rows))
    text_vectors = torch.from_numpy(np.require(items.text_vectors, np.float32, ["C", "W"]))
    shape = Shape(
        text_dimension=text_vectors.shape[1],
        known_items=len(known),
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        history_length=state.history_length,
    )
    towers = TwoTowers(shape, settings.dropout, settings.id_dropout, settings.seed)
    towers.item.centre_on(text_vectors)
    device = chosen_device(settings.device)
    kept = _kept(checkpoints, sequences, text_vectors, settings, shape)
    fitted = fit(
        towers.to(device),
        text_vectors[torch.from_numpy(known)],
        sequences,
        settings,
        progress=progress,
        checkpoints=kept,
    )

    laid = laid_out(fitted.towers, text_vectors, known, index)
    vectors = torch.from_numpy(laid.stored.vectors[: len(known)])
    taught = teach_actions(fitted.towers, vectors, sequences, fitted.counted, settings)
    texts = [items.texts[row] for row in known] if items.texts else []
    added = add_scorers(
        fitted, vectors.to(device), sequences, texts, settings, progress=progress, checkpoints=kept
    )
    newest_ms = int(times_ms.max())
    bundle = Bundle.of(
        fitted.towers,
        count_items(
            [items.item_ids[row] for row in known],
            rows,
            times_ms,
            newest_ms,
            [items.item_ids[row] for row in in_order(known, len(items.item_ids))[len(known) :]],
        ),
        encoder_id=encoder_id,
        rating_scale=state.rating_scale,
        settings=settings,
        data=DataFacts(
            first_event_ms=int(times_ms.min()),
            last_event_ms=newest_ms,
            interactions=len(times_ms),
            users=len(np.unique(sequences.starts)),
            ignored=ignored,
            sha256=sequences.sha256(),
        ),
        metrics=fitted.metrics | taught.metrics | added.metrics,
        created_at=from_ms(int(clock() * 1_000)),
        second=_second(fitted),
        actions=None if taught.heads is None else _weights(taught.heads),
        added=added.weights,
        base_model=added.base_model,
        lists=laid.lists,
        stored=laid.stored,
    )
    kept.clear()
    return bundle


def cross_texts(items: Sequence[Item | ItemVector], settings: TrainingSettings) -> tuple[str, ...]:
    """Return the texts of items for the cross-encoder; none where it is not trained."""
    if "cross_encoder" not in settings.stages:
        return ()
    template = settings.cross_encoder.item_template
    return tuple(described(item.title, item.categories, template) for item in items)


def check_training(settings: TrainingSettings) -> None:
    """Do nothing if what is to be trained can be; asked before anything is read.

    Raises:
        SettingError: `training.features` names what is not there, a cross-encoder lacks the extra `lora`, or a
            device is not there.
    """
    check_features(settings)
    check_device(settings.device, "training.device")
    if "cross_encoder" in settings.stages:
        check_adapters()
        check_device(settings.cross_encoder.device, "training.cross_encoder.device")


def _kept(
    directory: Path | None,
    sequences: Sequences,
    text_vectors: torch.Tensor,
    settings: TrainingSettings,
    shape: Shape,
) -> Checkpoints:
    """Return the checkpoints of this very training: another one's would continue something else."""
    if directory is None:
        return Checkpoints()
    facts = (sequences.sha256(), settings.model_dump_json(exclude=set(NOT_LEARNED)), repr(shape))
    digest = hashlib.sha256("\n".join(facts).encode() + text_vectors.numpy().tobytes())
    return Checkpoints(directory / digest.hexdigest()[:12])


def _weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _second(fitted: Fitted) -> SecondStage | None:
    if fitted.reranker is None or fitted.counted is None:
        return None
    return SecondStage(_weights(fitted.reranker), fitted.counted.whole, fitted.counted.trends.newest)
