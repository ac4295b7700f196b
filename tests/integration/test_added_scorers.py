"""Further scorers on their whole way: trained over the broker's items, announced, loaded, and seen in slates."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from encoder.identity import encoder_id
from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import ItemVector
from streams.contracts.users import END
from streams.embedded import EmbeddedBroker
from streams.kafka import partition_count, producer
from streams.partitioner import owner
from streams.provision import create_topics
from streams.settings import Settings, load_settings
from streams.topics import item_vectors
from tests.ranking.making import count
from tests.ranking.tiny import tiny_bert
from tests.ranking.worlds import NOW_MS, clicks
from tests.unit.test_towers import words_as_vectors
from workers.datasets import sample
from workers.ranking.pipeline import Pipeline
from workers.ranking.world import World
from workers.train import train_and_announce

pytest.importorskip("peft", reason="the extra `lora` is not installed")
SECONDS = 60.0
QUICK = {
    "width": 16, "layers": 1, "epochs": 1, "finish_epochs": 1, "reranker_hidden": 8, "neighbours": 20,
    "action_epochs": 0, "reranker_epochs": 2,
    "stages": ["towers", "reranker", "isolated", "cross_encoder"],
    "isolated": {"width": 16, "layers": 1, "epochs": 1, "examples": 200, "candidates": 30},
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Settings]:
    """Yield the settings of a broker that holds the sample's items, and of scorers that are trained and on."""
    cross = {"model": str(tiny_bert(tmp_path / "tiny")), "examples": 20, "max_tokens": 48}
    with EmbeddedBroker() as broker:
        settings = load_settings(
            kafka={"bootstrap_servers": broker.bootstrap_servers},
            training=QUICK | {"directory": str(tmp_path / "models"), "cross_encoder": cross},
            ranking={"added_scorers": ["isolated", "cross_encoder"], "cross_encoder": {"candidates": 5}},
        )
        encoder = encoder_id(settings.encoder)
        create_topics(settings, encoder)
        items = sample.load().items
        client, partitions = producer(settings), partition_count(settings, item_vectors(encoder))
        for item, vector in zip(items, words_as_vectors(items), strict=True):
            message = ItemVector(
                schema_version=SCHEMA_VERSION,
                item_id=item.item_id,
                vector=vector.astype(np.dtype("<f4")).tobytes(),
                content_hash=bytes(16),
                title=item.title,
                categories=item.categories,
                price=None,
                available=True,
                expires_at_ms=None,
            )
            key = item.item_id.encode()
            client.produce(item_vectors(encoder), encode_msgpack(message), key, owner(key, partitions))
        assert client.flush(SECONDS) == 0
        yield settings


def followed(settings: Settings) -> World:
    world, deadline = World(settings, encoder_id(settings.encoder)), time.monotonic() + SECONDS
    while not world.caught_up:
        world.follow()
        assert time.monotonic() < deadline
    world.follow()
    return world


def test_what_was_trained_serves_as_parts_of_the_score_or_is_refused(shop: Settings, tmp_path: Path) -> None:
    told: list[str] = []
    train_and_announce(shop, sample.load().events, lambda epoch: told.append(epoch.stage))
    assert list(dict.fromkeys(told)) == ["towers", "reranker", "finish", "isolated", "cross_encoder"]
    assert len(told) == shop.training.most_epochs

    world = followed(shop)
    assert world.generation is not None
    past = [item.item_id for item in sample.load().items[:4]]
    column = b"".join(item_id.encode() + END for item_id in past)
    user = msgspec.structs.replace(clicks("a", 0, 1, 2, 3), item_column=column)
    (slate,) = Pipeline(world.generation, shop).recommend([user], NOW_MS)
    assert sum("cross_encoder" in parts for parts in slate.parts) == 5
    assert all({"model", "evidence", "isolated"} <= set(parts) for parts in slate.parts)
    for parts, score in zip(slate.parts, slate.scores.tolist(), strict=True):
        assert sum(parts.values()) == pytest.approx(score, abs=1e-4)
    world.close()

    refused = count("models_refused_total")
    ranking = shop.ranking.cross_encoder.model_copy(update={"model": str(tiny_bert(tmp_path / "other", seed=1))})
    elsewhere = shop.model_copy(update={"ranking": shop.ranking.model_copy(update={"cross_encoder": ranking})})
    other = followed(elsewhere)
    assert other.generation is None
    assert count("models_refused_total") == refused + 1
    other.close()
