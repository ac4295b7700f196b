"""Models on `models.v1`: announced by training, listed, and made to serve by whoever operates the workers."""

from collections.abc import Sequence

from encoder.identity import encoder_id
from streams.contracts import ModelVersion, Output
from streams.delivery import AtLeastOnce
from streams.errors import DataError
from streams.kafka import consumer, partition_count, producer
from streams.partitioner import owner
from streams.reading import read_to_end
from streams.settings import Settings
from streams.topics import MODELS
from workers.publisher import require_topic
from workers.ranking.registry import Announcements, as_champion, load_announced


def announce(settings: Settings, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Put these records, key and value, on the topic of models.

    Raises:
        Transient: the broker did not take them.
    """
    partitions = partition_count(settings, MODELS)
    reader = consumer(settings, None)
    delivery = AtLeastOnce(reader, producer(settings), settings.loop.delivery_timeout_seconds)
    delivery.begin()
    delivery.write(Output(MODELS, owner(key, partitions), key, value) for key, value in records)
    delivery.wait()
    reader.close()


def announcements(settings: Settings) -> Announcements:
    """Return what the topic says of the model `ranking.model_name`.

    Raises:
        BrokerError: there is no such topic, or no broker answers.
    """
    require_topic(settings, MODELS)
    found = Announcements(settings.ranking.model_name)
    partitions = range(partition_count(settings, MODELS))
    read_to_end(settings, MODELS, partitions, lambda _, key, value: found.apply(key, value))
    return found


def serve(settings: Settings, version: str) -> ModelVersion:
    """Announce a known version as champion once more: an earlier one, or one that workers had refused.

    Raises:
        BrokerError: as `announcements`.
        DataError: the version is not known, or its bundle cannot serve here: damaged, or of another encoder.
        Transient: the broker did not take the announcement.
    """
    versions = announcements(settings).versions
    if version not in versions:
        raise DataError(
            f"There is no model {settings.ranking.model_name}/{version}.",
            f"name one of: {', '.join(sorted(versions)) or 'none; run `headrace train`'}.",
        )
    load_announced(versions[version], encoder_id(settings.encoder))
    announce(settings, as_champion(versions[version]))
    return versions[version]
