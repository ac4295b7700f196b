"""What several modules of these tests have in common."""

from collections.abc import Iterator

import pytest

from tests.ranking.making import Makes


@pytest.fixture
def make() -> Iterator[Makes]:
    makes = Makes()
    yield makes
    for generation in makes.generations:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()
