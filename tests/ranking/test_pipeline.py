"""From users to slates: who gets what, why, and what never happens."""

from collections.abc import Sequence

import numpy as np
import pytest

from streams.contracts import EventType
from streams.errors import SettingError
from streams.settings import Settings
from tests.ranking import worlds
from tests.ranking.making import USERS, Makes, codes, count, numbers
from tests.ranking.worlds import NOW_MS, state
from workers.ranking.candidates import Candidates, Query, Scored
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.pipeline import Stages
from workers.ranking.sources import SOURCES


@pytest.mark.parametrize("second", [False, True])
def test_every_score_depends_on_its_user_and_its_item_only(make: Makes, second: bool) -> None:
    pipeline = make(second=second)
    together = pipeline.recommend(USERS * 3, NOW_MS)[: len(USERS)]
    alone = [pipeline.recommend([user], NOW_MS)[0] for user in USERS]
    for one, other in zip(alone, together, strict=True):
        assert numbers(one) == numbers(other)
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-5)
        assert one.reasons == other.reasons


@pytest.mark.parametrize(("second", "apart"), [(False, 0.0), (True, 1e-5)])
def test_other_candidates_move_no_bit_of_a_vector_score_and_nothing_of_the_second_stage(
    make: Makes, second: bool, apart: float
) -> None:
    pipeline = make(second=second)
    queries = pipeline.hydrate(USERS)
    candidates, _ = pipeline.candidates(queries, NOW_MS)
    whole = pipeline.score(queries, candidates).scores
    for stride in (2, 3, 7):
        mask = np.arange(len(candidates.rows)) % stride == 0
        found = pipeline.score(queries, candidates.keep(mask)).scores
        np.testing.assert_allclose(found, whole[mask], rtol=0, atol=apart)


@pytest.mark.parametrize("second", [False, True])
def test_the_parts_of_a_score_add_up_to_it(make: Makes, second: bool) -> None:
    boosts = [{"when": "'Drama' in categories", "multiply": 1.5}, {"when": "price > 20", "add": -0.25}]
    for slate in make(second=second, boosts=boosts).recommend(USERS, NOW_MS):
        sums = [sum(parts.values()) for parts in slate.parts]
        np.testing.assert_allclose(sums, slate.scores, rtol=1e-5, atol=1e-5)


def test_the_ladder_says_how_much_is_known_and_asks_accordingly(make: Makes) -> None:
    nobody, new, known, _ = make(few_events=3).recommend(USERS, NOW_MS)
    assert codes(nobody) == {"no_history", "popular"}
    assert {"few_events", "text", "neighbours", "learned", "similar_item"} <= codes(new)
    assert {"history", "learned", "neighbours", "similar_item"} <= codes(known)
    assert "text" not in codes(known)
    for slate in (nobody, new, known):
        assert len({reasons[0].code for reasons in slate.reasons}) == 1
    assert numbers(nobody) == list(range(10))  # by popularity, which falls with the number


def test_what_others_did_next_is_proposed_and_is_the_reason(make: Makes) -> None:
    pipeline = make(second=True, sources=["covisited"], covisited=4)
    nobody, new, _, _ = pipeline.recommend(USERS, NOW_MS)
    assert numbers(nobody) == []
    assert set(numbers(new)) <= {6, 7, 8, 9, 10, 11, 12, 13}  # the four that come after 5 and after 9
    assert len(numbers(new)) == 4
    assert "covisited" in codes(new)
    assert (
        numbers(make(sources=["covisited"]).recommend(USERS[1:2], NOW_MS)[0]) == []
    )  # a model without a second stage


def test_of_more_candidates_those_stay_that_the_sources_name_earliest_and_pins(make: Makes) -> None:
    pins = [{"item_id": worlds.item_id(58), "rank": 1}]
    everything = make(second=True, pins=pins)
    fewer = make(second=True, pins=pins, candidates=12)
    queries = everything.hydrate(USERS)
    whole, _ = everything.candidates(queries, NOW_MS)
    kept, _ = fewer.candidates(queries, NOW_MS)
    for one, other in zip(whole.spans(len(USERS)), kept.spans(len(USERS)), strict=True):
        rows, merits = whole.rows[one], whole.merits[one]
        assert len(kept.rows[other]) == min(12, len(rows))
        assert 58 in kept.rows[other]
        left_out = ~np.isin(rows, kept.rows[other])
        assert merits[left_out].max(initial=0) <= kept.merits[other].min()


def test_what_is_proposed_does_not_depend_on_the_others_of_a_batch(make: Makes) -> None:
    pipeline = make(second=True, learned_candidates=5, covisited=5, together=5, popular_candidates=5)
    queries = pipeline.hydrate([*USERS, state("old", [(40, EventType.VIEW)], seen=range(20, 60))])
    proposing = 0
    for source in SOURCES:
        for query, rows in zip(queries, pipeline.propose(source, queries), strict=True):
            (alone,) = pipeline.propose(source, [query])
            unseen, expected = (each[~np.isin(each, query.seen)].tolist() for each in (rows, alone))
            assert unseen == expected, source.name
            proposing += bool(expected)
    assert proposing > 2 * len(queries)


def test_the_rung_is_that_of_what_is_known_of_the_items(make: Makes) -> None:
    unknown = state("gone", [(900, EventType.CLICK), (901, EventType.CLICK)])
    assert make().recommend([unknown], NOW_MS)[0].reasons[0][0].code == "no_history"


def test_nothing_is_shown_that_a_filter_forbids(make: Makes) -> None:
    def changed(number: int) -> dict[str, object]:
        return {"available": number % 7 != 0, "expires_at_ms": NOW_MS if number % 5 == 0 else NOW_MS + 1}

    rules = ["price <= 50", "'Horror' not in categories"]
    pipeline = make(changed, rules=rules, excluded_items=[worlds.item_id(1)], slate_length=60)
    for user, slate in zip(USERS, pipeline.recommend(USERS, NOW_MS), strict=True):
        for number in numbers(slate):
            assert 0 not in (number % 7, number % 5)
            assert number <= 50
            assert number != 1
            assert worlds.CATEGORIES[number % 3] != "Horror"
            assert worlds.item_id(number) not in {past.item_id for past in user.history}


def test_bought_and_disliked_items_stay_away_where_seen_ones_may_return(make: Makes) -> None:
    slate = make(exclude_seen=False, slate_length=60, popular_candidates=60).recommend([USERS[3]], NOW_MS)[0]
    assert {7, 8} <= set(numbers(slate))
    assert not {3, 4} & set(numbers(slate))
    all_of_them = make(
        exclude_seen=False, exclude_bought=False, exclude_disliked=False, slate_length=60, popular_candidates=60
    )
    assert {3, 4, 7, 8} <= set(numbers(all_of_them.recommend([USERS[3]], NOW_MS)[0]))


def test_the_newest_opinion_counts(make: Makes) -> None:
    changed_mind = state("fickle", [(4, EventType.DISLIKE), (4, EventType.LIKE), (6, EventType.CLICK)])
    slate = make(exclude_seen=False, slate_length=60, popular_candidates=60).recommend([changed_mind], NOW_MS)[0]
    assert 4 in numbers(slate)


def test_each_filter_says_what_it_removed_and_nothing_gets_lost(make: Makes) -> None:
    pipeline = make(rules=["price <= 30"], excluded_items=[worlds.item_id(2)])
    queries = pipeline.hydrate(USERS)
    kept, removed = pipeline.candidates(queries, NOW_MS)
    names = {each.filter.name for each in removed}
    assert names == {"excluded", "rule_0", "bought", "disliked", "seen"}
    assert all(each.filter.why for each in removed)
    plain = make(exclude_seen=False, exclude_bought=False, exclude_disliked=False)
    everything, nothing = plain.candidates(plain.hydrate(USERS), NOW_MS)
    assert nothing == []

    def pairs(found: Candidates) -> set[tuple[int, int]]:
        return set(zip(found.owners.tolist(), found.rows.tolist(), strict=True))

    parts = [pairs(kept), *(pairs(each.candidates) for each in removed)]
    assert set.union(*parts) == pairs(everything)
    assert sum(map(len, parts)) == len(pairs(everything))


def test_removed_candidates_are_counted_by_filter(make: Makes) -> None:
    before = count("removed_total", filter="rule_0")
    make(rules=["price < 0"]).recommend(USERS[:1], NOW_MS)
    assert count("removed_total", filter="rule_0") - before == worlds.ITEMS  # all, of whom nothing is known


class Broken:
    """A scorer that has no score for every third row."""

    def __call__(self, queries: Sequence[Query], candidates: Candidates, generation: Generation) -> Scored:
        scores = -candidates.rows.astype(np.float32)
        scores[candidates.rows % 6 == 0] = np.nan
        scores[candidates.rows % 6 == 3] = np.inf
        return Scored(scores, {"model": scores})


def test_scores_that_are_no_numbers_sink_and_are_counted(make: Makes) -> None:
    pipeline = make(slate_length=60)
    pipeline._stages.scorer = Broken()
    before = count("non_finite_scores_total")
    slate = pipeline.recommend(USERS[:1], NOW_MS)[0]
    sound = [number for number in range(worlds.ITEMS) if number % 3]
    assert numbers(slate)[: len(sound)] == sound
    assert np.isfinite(slate.scores).all()
    assert count("non_finite_scores_total") - before == worlds.ITEMS - len(sound)
    assert all(np.isfinite(list(parts.values())).all() for parts in slate.parts)


def test_pins_stand_in_their_places_unless_a_filter_removes_them(make: Makes) -> None:
    pins = [{"item_id": worlds.item_id(58), "rank": 1}, {"item_id": worlds.item_id(12), "rank": 3}]
    nobody, _, known, _ = make(pins=pins).recommend(USERS, NOW_MS)
    assert (numbers(nobody)[0], numbers(nobody)[2]) == (58, 12)
    assert "pinned" in {reason.code for reason in nobody.reasons[0]}
    assert numbers(known)[0] == 58
    assert 12 not in numbers(known)  # known has seen it


def test_no_kind_exceeds_its_cap(make: Makes) -> None:
    for slate in make(caps=[{"by": "categories", "most": 2}]).recommend(USERS, NOW_MS):
        kinds = [number % 3 for number in numbers(slate)]
        assert max(map(kinds.count, kinds)) <= 2
        assert len(kinds) == 6  # three categories


def test_a_boost_lifts_what_it_names(make: Makes) -> None:
    plain = make().recommend(USERS[:1], NOW_MS)[0]
    lifted = make(boosts=[{"when": "'Drama' in categories", "multiply": 100.0}]).recommend(USERS[:1], NOW_MS)[0]
    assert {number % 3 for number in numbers(plain)} == {0, 1, 2}
    assert {number % 3 for number in numbers(lifted)} == {1}
    assert all("boost" in parts for parts in lifted.parts)


def test_diversity_makes_the_items_of_a_slate_less_alike(make: Makes) -> None:
    def likeness(diversity: float) -> float:
        pipeline = make(diversity=diversity)
        total = 0.0
        for slate in pipeline.recommend(USERS[1:], NOW_MS):
            vectors = pipeline._generation.catalogue.text_vectors[: worlds.ITEMS]
            matrix = (vectors - vectors.mean(axis=0))[slate.rows]
            matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
            total += float((matrix @ matrix.T)[np.triu_indices(len(matrix), 1)].mean())
        return total

    assert likeness(0.9) < likeness(0.5) < likeness(0.0)


def test_variety_brings_kinds_that_the_slate_lacks(make: Makes) -> None:
    def kinds(variety: float, variety_by: str = "categories") -> list[int]:
        slates = make(slate_length=3, variety=variety, variety_by=variety_by).recommend(USERS[1:], NOW_MS)
        return [len({number % 3 for number in numbers(slate)}) for slate in slates]

    assert kinds(0.9) == [3, 3, 3]
    # Each price is a kind of its own, so that no item adds more than another.
    assert kinds(0.9, "price") == kinds(0.0) != [3, 3, 3]


@pytest.mark.parametrize(
    ("setting", "ranking"),
    [
        ("ranking.variety_by", {"variety": 0.1, "variety_by": "brand"}),
        ("ranking.rules.0", {"rules": ["prize <= 50"]}),
        ("ranking.boosts.0.when", {"boosts": [{"when": "colour == 'red'"}]}),
        ("ranking.caps.0.by", {"caps": [{"by": "brand", "most": 1}]}),
        ("ranking.rules.1", {"rules": ["price <= 50", "price <="]}),
        ("ranking.rules.0", {"rules": ["price"]}),
    ],
)
def test_an_unknown_field_ends_the_worker_before_it_starts(setting: str, ranking: dict[str, object]) -> None:
    settings: Settings = worlds.settings(**ranking)
    with pytest.raises(SettingError, match=setting):
        Catalogue(settings.ranking)


@pytest.mark.parametrize("ranking", [{"sources": ["learnt"]}, {"filters": ["mine"]}, {"scorer": "best"}])
def test_an_unknown_stage_ends_the_worker_before_it_starts(ranking: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(ranking))):
        Stages(worlds.settings(**ranking))
