"""Who is like whom: the same whether a user came before or after the topic's end, and read anew for each model."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import SCHEMA_VERSION, encode_msgpack
from streams.contracts import UserVector
from streams.topics import USER_VECTORS
from tests.ranking import worlds
from tests.ranking.told import Topics, announced
from workers.ranking.lookalikes import Lookalikes
from workers.ranking.world import World

WIDTH = 4
USERS = ("a", "b", "c", "d")
UNKNOWN_ITEM = "never heard of"
Change = tuple[str, UserVector | None]


def vector(user_id: str, number: int, liked: list[int], version: str = "v") -> UserVector:
    draws = np.random.default_rng(number).standard_normal(WIDTH).astype("<f4")
    ids = (*map(worlds.item_id, liked), UNKNOWN_ITEM)
    return UserVector(SCHEMA_VERSION, user_id, version, (draws / np.linalg.norm(draws)).tobytes(), ids)


liked = st.lists(st.integers(0, 9), max_size=3, unique=True)
changes = st.lists(
    st.one_of(
        st.builds(
            lambda user, number, liked: (user, vector(user, number, liked)),
            st.sampled_from(USERS),
            st.integers(0, 99),
            liked,
        ),
        st.builds(lambda user: (user, None), st.sampled_from(USERS)),
        st.builds(lambda user: (user, vector(user, 0, [1], "another model")), st.sampled_from(USERS)),
    ),
    max_size=12,
)


@given(changes, st.integers(0, 12))
def test_a_user_is_like_the_nearest_others_by_their_newest_vectors(told: list[Change], end: int) -> None:
    catalogue = worlds.catalogue(worlds.settings(), 10)
    lookalikes = Lookalikes("v", WIDTH, catalogue, worlds.settings().index)
    for place, change in enumerate(told):
        if place == end:
            lookalikes.complete()
        lookalikes.apply([change])
    lookalikes.complete()
    newest = {user: found for user, found in told if found is None or found.model_version == "v"}
    held = {user: found for user, found in newest.items() if found is not None}
    assert len(lookalikes) == len(held)
    asked = np.full((1, WIDTH), 0.5, np.float32)
    nearest = sorted(
        (user for user in held if user != "a"),
        key=lambda user: -float(np.frombuffer(held[user].vector, "<f4") @ asked[0]),
    )
    (rows,) = lookalikes.liked_by_like(["a"], asked, 2)
    found = [catalogue[row].item_id for row in rows.tolist()]
    expected = [item for user in nearest[:2] for item in held[user].liked if item != UNKNOWN_ITEM]
    scores = [float(np.frombuffer(held[user].vector, "<f4") @ asked[0]) for user in nearest]
    if len({round(score, 4) for score in scores}) == len(scores):  # equal scores have no order
        assert found == expected


def announce(seed: int, folder: Path) -> str:
    return announced(worlds.bundle(seed), folder / str(seed)).version


def test_without_a_model_nobody_waits_for_the_users(world: World) -> None:
    Topics.written[USER_VECTORS] = [(b"a", encode_msgpack(vector("a", 1, [1])))]
    world.follow()
    assert world.caught_up
    assert world.generation is None


def test_each_model_reads_the_users_from_the_beginning(world: World, tmp_path: Any) -> None:
    versions = [announce(0, tmp_path), worlds.bundle(1).version]
    for user, version in zip("abcd", versions * 2, strict=True):
        draws = np.ones(16, "<f4").tobytes()
        told = UserVector(SCHEMA_VERSION, user, version, draws, (worlds.item_id(1),))
        Topics.written[USER_VECTORS].append((user.encode(), encode_msgpack(told)))
    world.follow()
    assert world.caught_up
    assert world.generation is not None
    assert len(world.generation.lookalikes) == 2
    before, version = world.generation, announce(1, tmp_path)
    assert version == versions[1]
    world.follow()
    assert world.generation is not before
    assert world.caught_up
    assert len(world.generation.lookalikes) == 2
    Topics.written[USER_VECTORS].append((b"b", None))
    world.follow()
    assert len(world.generation.lookalikes) == 1
