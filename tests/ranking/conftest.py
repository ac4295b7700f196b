"""What several modules of these tests have in common."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from streams.codec import encode_msgpack
from streams.settings import Settings
from streams.topics import ITEM_TRENDS, MODELS, USER_VECTORS, item_vectors
from tests.ranking import worlds
from tests.ranking.making import Makes
from tests.ranking.place import Place
from tests.ranking.told import Topics
from workers.ranking.world import World


@pytest.fixture
def make() -> Iterator[Makes]:
    makes = Makes()
    yield makes
    for generation in makes.generations:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()


@pytest.fixture
def places() -> Iterator[list[Place]]:
    made: list[Place] = []
    yield made
    for place in made:
        place.close()


@pytest.fixture
def world() -> Iterator[World]:
    """Yield a world of ten items and no model, which follows what a test writes to `Topics`."""
    items = [(worlds.item_id(number).encode(), encode_msgpack(worlds.item(number))) for number in range(10)]
    Topics.written = {MODELS: [], USER_VECTORS: [], ITEM_TRENDS: [], item_vectors("words"): [*items]}
    with patch("workers.ranking.world.WholeTopic", Topics):
        made = World(Settings(), "words")
    yield made
    made.close()
