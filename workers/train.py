"""`headrace train`: item vectors from the broker, interactions from a data set; a bundle and its announcement."""

from collections.abc import Callable, Iterable

import numpy as np
import structlog
import torch

from encoder.identity import encoder_id
from streams.codec import decode_item_vector, decode_model_version
from streams.contracts import Event, ItemVector, ModelVersion
from streams.errors import DataError
from streams.kafka import partition_count
from streams.reading import read_to_end
from streams.settings import Settings
from streams.topics import MODELS, item_vectors
from workers.announcing import announce
from workers.bundles import bundles_directory
from workers.publisher import require_topic
from workers.ranking.model.course import Epoch
from workers.ranking.model.serving import check_numbers
from workers.ranking.model.training import ItemTexts, check_training, cross_texts, train
from workers.ranking.registry import announcement
from workers.tracking import tracked
from workers.unread import unread_items

_log = structlog.get_logger()


def train_and_announce(
    settings: Settings, events: Iterable[Event], progress: Callable[[Epoch], None]
) -> ModelVersion:
    """Train on `events` over the item vectors that the broker holds, save the bundle, announce it as champion.

    Raises:
        BrokerError: there is no topic for the announcement; asked before anything is learned.
        DataError: the broker holds no item vectors, there is too little to learn from, or it taught nothing
            that is a number.
        SettingError: see `check_training` and `tracked`.
        Transient: the announcement was not delivered.
    """
    check_training(settings.training)
    require_topic(settings, MODELS)
    torch.set_num_threads(settings.training.threads)
    encoder = encoder_id(settings.encoder)
    name = settings.ranking.model_name
    if unread := unread_items(settings):
        _log.warning("the model will not know items that the embedding worker has not read", records=unread)
    items = item_texts(settings, encoder)
    with tracked(settings.training, name) as tracker:

        def report(epoch: Epoch) -> None:
            tracker.epoch(epoch)
            progress(epoch)

        bundle = train(
            items,
            events,
            settings.training,
            settings.state,
            encoder,
            index=settings.index,
            progress=report,
            checkpoints=bundles_directory(settings) / name / "unfinished",
        )
        check_numbers(bundle)
        tracker.finish(bundle)
    directory = bundles_directory(settings) / name / bundle.version
    bundle = bundle.save(directory)
    records = announcement(bundle, directory.resolve().as_uri(), name)
    announce(settings, records)
    return decode_model_version(records[0][1])


def item_texts(settings: Settings, encoder: str) -> ItemTexts:
    """Return the text vectors of all items that the broker holds, by item id.

    Raises:
        DataError: it holds none.
    """
    topic = item_vectors(encoder)
    found: dict[bytes, ItemVector] = {}

    def apply(partition: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            found.pop(key, None)
        else:
            found[key] = decode_item_vector(value)

    read_to_end(settings, topic, range(partition_count(settings, topic)), apply)
    if not found:
        raise DataError(
            f"There are no item vectors on {topic}.",
            "load the catalogue (`headrace items load`) and let `headrace worker embedding` encode it.",
        )
    items = [found[key] for key in sorted(found)]
    vectors = np.stack([np.frombuffer(item.vector, np.dtype("<f4")) for item in items])
    return ItemTexts(tuple(item.item_id for item in items), vectors, cross_texts(items, settings.training))
