"""`headrace evaluate`: a data set's texts through the encoder, then each protocol in turn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from encoder.contract import Encoder
from encoder.loading import load_encoder
from encoder.texts import item_text
from streams.errors import DataError
from streams.settings import Settings
from workers.datasets.contract import Dataset
from workers.ranking.evaluation.evaluate import PROTOCOLS, evaluate, read_log, training_set
from workers.ranking.evaluation.protocols import Questions
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.course import Epoch
from workers.ranking.model.sequences import Sequences
from workers.ranking.model.serving import Model
from workers.ranking.model.training import ItemTexts, check_training, cross_texts, train_on


def item_texts(dataset: Dataset, settings: Settings, encoder: Encoder | None = None) -> ItemTexts:
    """Return the text vectors of a data set's items, encoded here; no broker is asked.

    Args:
        encoder: None loads the one of the settings.
    """
    encoder = load_encoder(settings.encoder) if encoder is None else encoder
    texts = [item_text(item, settings.encoder.item_template) for item in dataset.items]
    ids, vectors = tuple(item.item_id for item in dataset.items), encoder.encode_documents(texts)
    return ItemTexts(ids, vectors, cross_texts(dataset.items, settings.training))


def evaluate_all(
    dataset: Dataset,
    items: ItemTexts,
    settings: Settings,
    *,
    names: Sequence[str],
    share: float,
    most_questions: int | None = None,
    progress: Callable[[str, Epoch], None] = lambda _, __: None,
) -> dict[str, Any]:
    """Return each named protocol's results; protocols that learn from the same events share one model.

    Args:
        names: of `PROTOCOLS`.
        share: newest share of the events that is foretold by time split and prequential replay.
        most_questions: of each protocol, spread evenly; None asks them all.

    Raises:
        DataError: the data set gives a protocol nothing to ask, or too little to learn from.
    """
    torch.set_num_threads(settings.training.threads)
    state = settings.state.model_copy(update={"rating_scale": dataset.rating_scale})
    check_training(settings.training)
    log = read_log(dataset.events, items, dataset.rating_scale)
    to_ask = {name: _questions(name, log, share) for name in names}
    models: dict[bytes, Bundle] = {}
    found: dict[str, Any] = {}
    for name, questions in to_ask.items():
        learned_from = np.packbits(questions.train).tobytes() + questions.past.sha256().encode()
        if learned_from not in models:
            past, known = training_set(questions, items)
            models[learned_from] = train_on(
                past,
                known,
                settings.training,
                state,
                "evaluation",
                progress=lambda epoch, name=name: progress(name, epoch),  # type: ignore[misc]
            )
        count = min(len(questions.ends), most_questions or len(questions.ends))
        asked = questions.part(np.arange(count) * len(questions.ends) // count)
        found[name] = evaluate(asked, items, Model(models[learned_from], settings.ranking.cross_encoder), settings)
    return {
        "dataset": dataset.name,
        "items": len(items.item_ids),
        "events": len(log.starts),
        "share": share,
        "protocols": found,
    }


def _questions(name: str, log: Sequences, share: float) -> Questions:
    found = PROTOCOLS[name](log, share)
    if not len(found.ends):
        raise DataError(
            f"The protocol {name} has nothing to ask of these {len(log.starts)} events: it takes users who come "
            "back for an item that is new to them.",
            "name another --protocol, a larger --share or a larger data set.",
        )
    return found
