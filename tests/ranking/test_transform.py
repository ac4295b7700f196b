"""What is published, what is held back, and how standing slates follow the catalogue and the model."""

from typing import Any, cast

import msgspec
import pytest
from prometheus_client import REGISTRY

from streams.codec import encode_json, encode_msgpack
from streams.contracts import Output, Recommendation, Record, UserState
from streams.topics import RECOMMENDATIONS, USER_STATE, USER_VECTORS
from tests.ranking import worlds
from tests.ranking.place import Place, slates
from tests.ranking.worlds import NOW_MS, clicks


def items(slate: Recommendation) -> list[str]:
    return [item.item_id for item in slate.items]


def count(name: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_ranking_{name}") or 0.0


def place(places: list[Place], **ranking: object) -> Place:
    places.append(Place(**ranking))
    return places[-1]


def test_a_slate_says_where_it_came_from(places: list[Place]) -> None:
    here = place(places, valid_seconds=60.0)
    (slate,) = here.kept(here.handle(clicks("u", 1, 2, 3)))
    assert slate.model_version == here.generation.model.version
    assert (slate.encoder_id, slate.vector_offsets) == ("words", (7, 8))
    assert slate.caused_by
    assert (slate.source.partition, slate.source.offset) == (0, 2)
    assert (slate.valid_until - slate.generated_at).total_seconds() == 60
    assert len(slate.rules_version) == 12
    assert all(item.parts and item.reasons for item in slate.items)


def test_equal_rules_have_equal_versions_and_other_rules_have_not(places: list[Place]) -> None:
    versions = []
    for ranking in (
        {},
        {"publish": "changed"},
        {"deadline_seconds": 9.0},
        {"rules": ["price < 9"]},
        {"diversity": 0.1},
    ):
        here = place(places, **cast(dict[str, object], ranking))
        versions.append(here.kept(here.handle(clicks("u", 1)))[0].rules_version)
    assert versions[0] == versions[1] == versions[2]
    assert len(set(versions[2:])) == 3


def test_always_publishes_the_same_slate_again(places: list[Place]) -> None:
    here = place(places)
    first = here.kept(here.handle(clicks("u", 1)))
    second = here.kept(here.handle(clicks("u", 1)))
    assert items(first[0]) == items(second[0])


def test_changed_holds_back_what_stands_and_counts_it(places: list[Place]) -> None:
    here = place(places, publish="changed", heartbeat_seconds=100.0)
    assert len(here.kept(here.handle(clicks("u", 1)))) == 1
    before = count("suppressed_total")
    outputs = here.handle(clicks("u", 1))
    assert here.kept(outputs) == []
    assert [output.topic for output in outputs] == [USER_VECTORS]  # look-alikes still hear of the user
    assert count("suppressed_total") - before == 1
    assert len(here.kept(here.handle(clicks("u", 1, 2)))) == 1


def test_a_heartbeat_brings_out_what_is_unchanged(places: list[Place]) -> None:
    here = place(places, publish="changed", heartbeat_seconds=100.0)
    here.kept(here.handle(clicks("u", 1)))
    here.now += 99
    assert here.kept(here.handle(clicks("u", 1))) == []
    here.now += 1
    assert len(here.kept(here.handle(clicks("u", 1)))) == 1
    here.now += 99
    assert here.kept(here.handle(clicks("u", 1))) == []


def test_a_slate_that_was_not_delivered_does_not_stand(places: list[Place]) -> None:
    here = place(places, publish="changed")
    here.handle(clicks("u", 1))
    here.transform.abandoned()
    assert len(here.kept(here.handle(clicks("u", 1)))) == 1


def restart(here: Place, published: list[Output], state: UserState) -> None:
    """Start the worker again, on what the topics hold."""
    here.transform = here.start()
    changelogs = {changelog.topic: changelog for changelog in here.transform.assigned([0])}
    changelogs[USER_STATE].load(0, state.user_id.encode(), encode_msgpack(state))
    for output in published:
        if output.topic == RECOMMENDATIONS:
            changelogs[RECOMMENDATIONS].load(0, state.user_id.encode(), output.value)
    here.transform.restored([0])


def test_what_stands_is_known_again_after_a_restart(places: list[Place]) -> None:
    here = place(places, publish="changed")
    first = here.handle(clicks("u", 1))
    here.kept(first)
    restart(here, first, clicks("u", 1))
    assert here.tick() == []
    assert here.kept(here.handle(clicks("u", 1))) == []


@pytest.mark.parametrize("publish", ["always", "changed"])
def test_slates_of_another_model_or_of_other_rules_are_made_again_after_a_restart(
    places: list[Place], publish: str
) -> None:
    here = place(places, publish=publish)
    first = here.handle(clicks("u", 1))
    here.kept(first)
    here.swap(1)
    here.follow()
    restart(here, first, clicks("u", 1))
    (again,) = here.tick()
    assert again.model_version == here.generation.model.version
    assert here.tick() == []
    other = place(places, publish=publish, rules=["price < 30"])
    restart(other, first, clicks("u", 1))
    (under_rules,) = other.tick()
    assert all(int(item[1:]) < 30 for item in items(under_rules))


def test_a_new_model_brings_out_every_slate(places: list[Place]) -> None:
    here = place(places, publish="changed")
    here.kept(here.handle(clicks("u", 1), clicks("v", 2)))
    here.swap(1)
    assert {slate.user_id for slate in here.tick()} == {"u", "v"}
    assert here.tick() == []


def test_a_new_model_re_slates_at_a_limited_rate(places: list[Place]) -> None:
    here = place(places, standing_per_second=10.0)
    here.kept(here.handle(*(clicks(f"u{number}", number % 9) for number in range(40))))
    here.swap(1)
    assert len(here.tick()) == 10
    assert here.tick() == []
    here.now += 0.5
    assert len(here.tick()) == 5
    here.now += 10
    assert len(here.tick()) == 10


def test_an_item_that_is_sold_out_leaves_the_slates_that_hold_it_and_no_others(places: list[Place]) -> None:
    here = place(places, standing_per_second=1.0)
    made = here.kept(here.handle(*(clicks(f"u{number}", *range(number, number + 6)) for number in range(30))))
    gone = items(made[0])[0]
    holders = {slate.user_id for slate in made if gone in items(slate)}
    assert 1 < len(holders) < 30
    here.put(int(gone[1:]), available=False)
    again = here.tick()
    assert {slate.user_id for slate in again} == holders
    assert all(gone not in items(slate) for slate in again)


def test_a_price_that_breaks_a_rule_takes_the_item_out_of_standing_slates(places: list[Place]) -> None:
    here = place(places, rules=["price <= 60"])
    (slate,) = here.kept(here.handle(clicks("u", 1)))
    here.put(int(items(slate)[0][1:]), price=61.0)
    (again,) = here.tick()
    assert items(slate)[0] not in items(again)
    here.put(int(items(again)[0][1:]), price=59.0)
    assert here.tick() == []


def test_an_item_that_expires_leaves_its_slates_when_it_does(places: list[Place]) -> None:
    here = place(places)
    here.put(0, expires_at_ms=NOW_MS + 5_000)
    here.tick()
    (slate,) = here.kept(here.handle(clicks("u")))
    assert worlds.item_id(0) in items(slate)
    here.now += 4
    assert here.tick() == []
    here.now += 2
    (again,) = here.tick()
    assert worlds.item_id(0) not in items(again)


def test_what_went_while_no_worker_ran_leaves_its_slates_at_the_start(places: list[Place]) -> None:
    here = place(places)
    first = here.handle(clicks("u", 1))
    (slate,) = here.kept(first)
    here.put(int(items(slate)[0][1:]), available=False)
    here.follow()
    restart(here, first, clicks("u", 1))
    (again,) = here.tick()
    assert items(slate)[0] not in items(again)


def test_an_erased_user_gets_no_slate_from_any_cause(places: list[Place]) -> None:
    here = place(places)
    (slate,) = here.kept(here.handle(clicks("u", 1)))
    erased = here.transform.decode(Record(USER_STATE, 0, 99, NOW_MS, b"u", None, ()))
    outputs = list(here.transform.handle(cast(Any, [erased])))
    assert {output.topic for output in outputs if output.value is None} >= {RECOMMENDATIONS, USER_VECTORS}
    here.kept(outputs)
    here.put(int(items(slate)[0][1:]), available=False)
    here.swap(1)
    assert here.tick() == []


def test_an_item_that_was_deleted_while_no_worker_ran_leaves_its_slates(places: list[Place]) -> None:
    here = place(places)
    (slate,) = here.kept(here.handle(clicks("u", 1)))
    unheard_of = msgspec.structs.replace(
        slate,
        items=(msgspec.structs.replace(slate.items[0], item_id="deleted and compacted away"), *slate.items[1:]),
    )
    again = here.start()
    states, stands = again.assigned([0])
    states.load(0, b"u", encode_msgpack(clicks("u", 1)))
    stands.load(0, b"u", encode_json(unheard_of))
    again.restored([0])
    (made,) = slates(again.tick())
    assert "deleted and compacted away" not in items(made)


@pytest.mark.parametrize("mended", [False, True])
def test_what_is_no_slate_among_those_that_stand_is_replaced_and_ends_nothing(
    places: list[Place], mended: bool
) -> None:
    here = place(places)
    (slate,) = here.kept(here.handle(clicks("u", 1)))
    again = here.start()
    states, stands = again.assigned([0])
    states.load(0, b"u", encode_msgpack(clicks("u", 1)))
    for value in (encode_json(slate), b"\xff", *([encode_json(slate)] if mended else [])):
        stands.load(0, b"u", value)
    stands.load(0, b"nobody of ours", b"[")
    again.restored([0])
    made = slates(again.tick())
    assert [items(each) for each in made] == ([] if mended else [items(slate)])
