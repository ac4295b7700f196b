"""What several modules of these tests have in common."""

from collections.abc import Iterator

import pytest

from tests.ranking.making import Makes
from tests.ranking.place import Place


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
