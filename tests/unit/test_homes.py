"""The state worker remembers where those belong who come astray, and nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import Record
from streams.partitioner import owner
from streams.settings import Settings
from streams.state import ownership
from streams.state.ownership import Homes
from streams.state.transform import StateTransform
from streams.topics import CLICKSTREAM, REKEYED
from tests.bench.state_parts.workload import event

PARTITIONS = 4
USERS = [f"u{number}" for number in range(40)]

keys = st.sampled_from([user.encode() for user in USERS])
asked = st.lists(st.tuples(keys, st.none() | st.integers(0, PARTITIONS - 1)), max_size=60)


def record(topic: str, partition: int, user: str, key: bytes | None = None) -> Record:
    value = event(0, user, 0)
    return Record(topic, partition, 0, 1_800_000_000_000, user.encode() if key is None else key, value, ())


@given(asked, st.integers(1, 5))
def test_a_home_is_the_owner_whatever_is_remembered_and_no_more_than_the_bound_is(
    questions: list[tuple[bytes, int | None]], most: int
) -> None:
    homes = Homes(PARTITIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership, "REMEMBERED", most)
        for key, found_on in questions:
            assert homes.of(key, found_on) == owner(key, PARTITIONS)
            assert len(homes._of_strays) <= most


@given(asked)
def test_only_who_was_found_elsewhere_is_remembered(questions: list[tuple[bytes, int | None]]) -> None:
    homes = Homes(PARTITIONS)
    for key, found_on in questions:
        homes.of(key, found_on)
    assert set(homes._of_strays) == {key for key, found_on in questions if found_on != owner(key, PARTITIONS)}


@given(st.sampled_from(USERS), st.sampled_from(USERS), st.integers(0, PARTITIONS - 1))
def test_a_record_is_misplaced_under_another_key_or_on_another_partition(
    user: str, key: str, partition: int
) -> None:
    passed_on = record(REKEYED, partition, user, key.encode())
    fits = user == key and partition == owner(user.encode(), PARTITIONS)
    assert Homes(PARTITIONS).misplaced(passed_on, user.encode()) is not fits


def test_murmur2_is_asked_once_about_a_user_who_comes_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []

    def counted(key: bytes, partitions: int) -> int:
        calls.append(key)
        return owner(key, partitions)

    monkeypatch.setattr(ownership, "owner", counted)
    astray = (owner(b"u1", PARTITIONS) + 1) % PARTITIONS
    homes = Homes(PARTITIONS)
    assert {homes.of(b"u1", astray) for _ in range(3)} == {owner(b"u1", PARTITIONS)}
    assert calls == [b"u1"]


def test_a_newcomer_in_the_right_place_leaves_nothing_but_a_state() -> None:
    transform = StateTransform(Settings(), PARTITIONS)
    transform.assigned(range(PARTITIONS))
    transform.restored(range(PARTITIONS))
    records = [record(CLICKSTREAM, owner(user.encode(), PARTITIONS), user) for user in USERS]
    messages = [transform.decode(each) for each in records]
    list(transform.handle(messages))  # type: ignore[arg-type]
    transform.kept({})
    assert (len(transform._store), len(transform._homes._of_strays)) == (len(USERS), 0)
