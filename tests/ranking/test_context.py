"""The first step of the cold-start ladder: nobody -> what rises where they are, then what rises everywhere."""

from collections.abc import Iterator

import msgspec
import pytest

from streams.contracts import ItemTrend, RankingQuery, RankingRequest, Reason, Source, UserState
from streams.contracts.events import EventType
from streams.contracts.fields import Attribute
from streams.settings import Settings, load_settings
from streams.topics import RANKING_REQUESTS
from tests.ranking import worlds
from tests.ranking.making import numbers
from tests.ranking.worlds import NOW_MS, clicks
from workers.ranking.answering import Answering, nobody
from workers.ranking.candidates import Slate
from workers.ranking.generation import Generation
from workers.ranking.messages import rules_version
from workers.ranking.pipeline import Pipeline, Stages

DUTCH, EVERYBODYS, SOURCE = 50, 51, Source(topic=RANKING_REQUESTS, partition=0, offset=0, create_time_ms=NOW_MS)


def settings(field: str = "country", **ranking: object) -> Settings:
    return load_settings(state={"trend_context": field}, ranking=ranking)


def trend(number: int, everywhere: float, **contexts: float) -> ItemTrend:
    def counts(clicks: float) -> dict[int, tuple[float, ...]]:
        return {EventType.CLICK.code: (clicks, clicks, clicks)}

    told = {context: counts(clicks) for context, clicks in contexts.items()}
    return ItemTrend(1, worlds.item_id(number), NOW_MS, counts(everywhere), 0, told)


@pytest.fixture
def generation() -> Iterator[Generation]:
    made = worlds.generation(settings())
    for told in (trend(DUTCH, 400.0, NL=400.0), trend(EVERYBODYS, 900.0, DE=800.0)):
        made.trends.put(0, told.item_id, told)
    yield made
    made.close()
    if made.texts is not None:
        made.texts.close()


def pipeline(generation: Generation, field: str = "country", **ranking: object) -> Pipeline:
    chosen = settings(field, **ranking)
    return Pipeline(generation, chosen, Stages(chosen))


def living_in(country: str | None, state: UserState) -> UserState:
    return msgspec.structs.replace(state, last_context=country)


def why(slate: Slate, number: int) -> tuple[Reason, ...]:
    return slate.reasons[numbers(slate).index(number)]


def test_nobody_gets_what_rises_where_they_are_then_what_rises_everywhere_and_is_told_so(
    generation: Generation,
) -> None:
    here, there, nowhere = pipeline(generation, sources=["trending"]).recommend(
        [living_in(country, clicks("nobody")) for country in ("NL", "DE", None)], NOW_MS
    )
    assert numbers(here) == [DUTCH, EVERYBODYS]
    assert why(here, DUTCH) == (Reason("no_history"), Reason("trending", context="NL"))
    assert why(here, EVERYBODYS) == (Reason("no_history"), Reason("trending"))
    for slate, context in ((there, "DE"), (nowhere, None)):
        assert numbers(slate) == [EVERYBODYS, DUTCH]
        assert why(slate, EVERYBODYS) == (Reason("no_history"), Reason("trending", context=context))


def test_where_a_context_has_enough_that_rises_nothing_else_is_proposed(generation: Generation) -> None:
    one = pipeline(generation, sources=["trending"], trending_candidates=1)
    assert numbers(one.recommend([living_in("NL", clicks("nobody"))], NOW_MS)[0]) == [DUTCH]
    seen = living_in("NL", worlds.state("searcher", seen=[DUTCH]))
    (slate,) = one.recommend([seen], NOW_MS)
    assert numbers(slate) == [EVERYBODYS], "what was seen takes no place"


def test_what_rises_here_leads_the_ordinary_slate_of_a_newcomer_and_not_that_of_others(
    generation: Generation,
) -> None:
    made = pipeline(generation)
    here, elsewhere = made.recommend([living_in(country, clicks("new")) for country in ("NL", None)], NOW_MS)
    assert numbers(here)[0] == DUTCH
    assert numbers(elsewhere)[0] == EVERYBODYS
    for slate in (here, elsewhere):
        for parts, score in zip(slate.parts, slate.scores, strict=True):
            assert parts == {"popularity": pytest.approx(score)}


@pytest.mark.parametrize(("known", "rung"), [((1, 2), "few_events"), (tuple(range(9)), "history")])
def test_on_the_higher_steps_what_rises_here_is_one_candidate_among_others(
    generation: Generation, known: tuple[int, ...], rung: str
) -> None:
    made = pipeline(generation, slate_length=worlds.ITEMS)
    (slate,) = made.recommend([living_in("NL", clicks("u", *known))], NOW_MS)
    (plain,) = pipeline(generation, field="", slate_length=worlds.ITEMS).recommend([slate.query.state], NOW_MS)
    assert why(slate, DUTCH)[0] == Reason(rung)
    assert Reason("trending", context="NL") in why(slate, DUTCH)
    assert numbers(slate) == numbers(plain), "the learned score knows no context"


def test_no_context_is_asked_for_where_the_setting_names_none(generation: Generation) -> None:
    states = [living_in(country, clicks("nobody")) for country in ("NL", None)]
    here, plain = pipeline(generation, field="").recommend(states, NOW_MS)
    assert numbers(here) == numbers(plain)
    assert here.reasons == plain.reasons


def test_a_score_does_not_depend_on_who_else_is_in_the_batch(generation: Generation) -> None:
    states = [living_in(country, clicks(f"u{country}")) for country in ("NL", "DE", None, "BE")]
    made = pipeline(generation)
    together = made.recommend(states, NOW_MS)
    for state, slate in zip(states, together, strict=True):
        (alone,) = made.recommend([state], NOW_MS)
        assert numbers(alone) == numbers(slate)
        assert alone.scores.tolist() == slate.scores.tolist()
        assert alone.reasons == slate.reasons


@pytest.mark.parametrize(
    ("told", "lives_in", "first"),
    [
        ({"country": "NL"}, None, DUTCH),
        ({"country": "NL"}, "DE", DUTCH),
        ({"device": "NL"}, "DE", EVERYBODYS),
        ({"device": "phone"}, "NL", DUTCH),
        ({"country": 1.5}, "NL", DUTCH),
        ({"country": "BE"}, "NL", EVERYBODYS),
    ],
)
def test_a_request_says_where_it_is_for_and_else_the_users_newest_event_does(
    generation: Generation, told: dict[str, Attribute], lives_in: str | None, first: int
) -> None:
    made = pipeline(generation)
    request = RankingRequest(request_id="r", user_id="u", context=told)
    asked = RankingQuery(request=request, vector=b"", encoder_id="words", source=SOURCE)
    state = living_in(lives_in, nobody("u", 0))
    slate = Answering(made._settings, made._stages).slate(asked, state, made, generation, NOW_MS)
    assert numbers(slate)[0] == first


def test_slates_by_another_field_are_slates_by_other_rules() -> None:
    versions = {rules_version(settings(field)) for field in ("", "country", "device")}
    assert len(versions) == 3
    assert rules_version(settings("")) == rules_version(Settings())
