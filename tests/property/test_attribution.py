"""Laws of the join of slates and actions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import EventType, TrainingExample
from streams.feedback.attribution import acted, expired, offered
from streams.feedback.join_state import IMPRESSION, TYPES, JoinState, KeptAction, OpenSlate, Place, new_state
from streams.feedback.step import At, Step
from streams.settings.feedback import FeedbackSettings
from streams.topics import CLICKSTREAM, RECOMMENDATIONS, REKEYED, USER_ACTIONS

WINDOW_MS = 40_000
ROOMY = FeedbackSettings(window_seconds=40, open_slates=100, kept_actions=2_000)
TIGHT = FeedbackSettings(window_seconds=40, open_slates=2, kept_actions=3)
END_MS = 10**9
KINDS = st.sampled_from([TYPES.index(kind) for kind in EventType if kind is not EventType.SEARCH])


class Life(NamedTuple):
    """What happened to one user, each topic in the order of its offsets.

    Attributes:
        together: as many actions lie in one record.
    """

    slates: list[OpenSlate]
    actions: list[KeptAction]
    together: int = 1


@st.composite
def lives(draw: st.DrawFn) -> Life:
    slates: list[OpenSlate] = []
    actions: list[KeptAction] = []
    newest_ms = 1_000
    for offset in range(draw(st.integers(1, 12))):
        time_ms = max(0, newest_ms + draw(st.integers(-3, 25)) * 1_000)
        newest_ms = max(newest_ms, time_ms)
        named = draw(st.sampled_from([None, None, "s0", "s1", "s2", "unknown"]))
        item, topic = f"i{draw(st.integers(0, 5))}", draw(st.sampled_from([CLICKSTREAM, CLICKSTREAM, REKEYED]))
        actions.append(KeptAction(draw(KINDS), item, time_ms, None, named, topic, offset, offset))
        if draw(st.booleans()):
            held = draw(st.lists(st.integers(0, 5), max_size=4, unique=True))
            places = tuple(Place(f"i{number}", rank, ("learned",)) for rank, number in enumerate(held, start=1))
            name = f"s{len(slates)}"
            slates.append(OpenSlate(name, newest_ms, offset, topic, offset, offset, "m", places))
    return Life(slates, actions, draw(st.integers(1, 4)))


Arrival = tuple[str, int]


@st.composite
def arrivals(draw: st.DrawFn, life: Life) -> list[Arrival]:
    """Return an interleaving of the two topics, each in its own order."""
    order = [RECOMMENDATIONS] * len(life.slates) + [USER_ACTIONS] * len(life.actions)
    nexts = Counter[str]()
    found = []
    for topic in draw(st.permutations(order)):
        found.append((topic, nexts[topic]))
        nexts[topic] += 1
    return found


def fed(
    life: Life, order: Iterable[Arrival], state: JoinState, settings: FeedbackSettings, now: Sequence[int] = (0,)
) -> list[Step]:
    """Return the steps of these arrivals; `now` is the stream time at each of them, its last for the rest."""
    steps = []
    for number, (topic, offset) in enumerate(order):
        at = At(topic, offset, now[min(number, len(now) - 1)])
        if topic == RECOMMENDATIONS:
            steps.append(offered(state, at, life.slates[offset], settings))
        else:
            at = at._replace(offset=offset // life.together)
            steps.append(acted(state, at, life.actions[offset], settings))
        state = steps[-1].state
    return steps


def ended(state: JoinState, settings: FeedbackSettings) -> Step:
    return expired(state, END_MS, settings)


def examples(life: Life, order: Sequence[Arrival], settings: FeedbackSettings) -> list[TrainingExample]:
    steps = fed(life, order, new_state("u", 0), settings)
    steps.append(ended(steps[-1].state, settings))
    return [example for step in steps for example in step.examples]


def by_definition(life: Life) -> dict[tuple[str, str], dict[int, int]]:
    """Return the outcomes of every (slate, item) that an action answers, from the words of the table alone."""
    found: dict[tuple[str, str], Counter[int]] = {}
    for action in life.actions:
        able = [
            slate
            for slate in life.slates
            if any(place.item_id == action.item_id for place in slate.places)
            and action.time_ms <= slate.time_ms + WINDOW_MS
        ]
        if action.recommendation_id is not None:
            able = [slate for slate in able if slate.recommendation_id == action.recommendation_id]
        else:
            able = [
                slate
                for slate in able
                if slate.time_ms <= action.time_ms
                and (
                    slate.offset < action.offset or (slate.topic != action.topic and slate.offset <= action.offset)
                )
            ]
        if able and action.event_type != IMPRESSION:
            newest = max(able, key=lambda slate: (slate.time_ms, slate.made_ms))
            found.setdefault((newest.recommendation_id, action.item_id), Counter())[action.event_type] += 1
    return {place: dict(outcomes) for place, outcomes in found.items()}


@given(st.data())
def test_an_action_answers_the_slate_that_the_table_names(data: st.DataObject) -> None:
    life = data.draw(lives())
    written = examples(life, data.draw(arrivals(life)), ROOMY)
    outcomes = {(each.recommendation_id, each.item_id): each.outcomes for each in written if each.outcomes}
    assert outcomes == by_definition(life)


@given(st.data())
def test_the_order_of_arrival_changes_nothing(data: st.DataObject) -> None:
    life = data.draw(lives())
    one, other = (examples(life, data.draw(arrivals(life)), ROOMY) for _ in range(2))
    assert {each.example_id: each for each in one} == {each.example_id: each for each in other}


@given(st.data())
def test_reading_any_suffix_again_changes_nothing(data: st.DataObject) -> None:
    life = data.draw(lives())
    order = data.draw(arrivals(life))
    settings = data.draw(st.sampled_from([ROOMY, TIGHT]))
    cut = data.draw(st.integers(1, len(order)))
    state = fed(life, order[:cut], new_state("u", 0), settings)[-1].state
    again = fed(life, order[data.draw(st.integers(0, cut - 1)) : cut], state, settings)
    assert all(step.state is state and step.duplicate and not step.examples for step in again)


@given(st.data())
def test_every_action_ends_once_in_an_example_or_unattributed(data: st.DataObject) -> None:
    life = data.draw(lives())
    order = data.draw(arrivals(life))
    settings = data.draw(st.sampled_from([ROOMY, TIGHT]))
    now = sorted(data.draw(st.lists(st.integers(0, 300_000), min_size=1, max_size=len(order))))
    steps = fed(life, order, new_state("u", 0), settings, now)
    steps.append(ended(steps[-1].state, settings))
    written = [example for step in steps for example in step.examples]
    reasons = [reason for step in steps for reason in step.unattributed]
    done = sum(action.event_type != IMPRESSION for action in life.actions)
    assert sum(sum(each.outcomes.values()) for each in written) + len(reasons) == done
    assert len({each.example_id for each in written}) == len(written), "no slate is written twice"
    assert steps[-1].state.empty


@given(st.data())
def test_a_state_stays_within_its_bounds(data: st.DataObject) -> None:
    life = data.draw(lives())
    for step in fed(life, data.draw(arrivals(life)), new_state("u", 0), TIGHT):
        assert len(step.state.slates) <= TIGHT.open_slates
        assert len(step.state.actions) <= TIGHT.kept_actions
        assert len(step.state.closed) <= 2 * TIGHT.open_slates


@given(st.data())
def test_an_offer_is_evidence_of_what_was_said_about_it(data: st.DataObject) -> None:
    life = data.draw(lives())
    shown = {(a.item_id, a.time_ms) for a in life.actions if a.event_type == IMPRESSION}
    for example in examples(life, data.draw(arrivals(life)), ROOMY):
        assert 0 < example.propensity <= 1
        if example.evidence == "impression":
            assert (example.item_id, example.exposure_time_ms) in shown
        else:
            assert example.exposure_time_ms == example.slate_time_ms


def test_taking_an_act_back_is_told_in_the_example_and_no_rate_counts_it() -> None:
    slate = OpenSlate("s", 1_000, 0, CLICKSTREAM, 0, 0, "m", (Place("i", 1, ("learned",)),))
    like, unlike = (TYPES.index(kind) for kind in (EventType.LIKE, EventType.UNLIKE))
    actions = [
        KeptAction(kind, "i", 2_000 + number, None, None, CLICKSTREAM, number, number)
        for number, kind in ((1, like), (2, unlike))
    ]
    order = [(RECOMMENDATIONS, 0), (USER_ACTIONS, 0), (USER_ACTIONS, 1)]
    steps = fed(Life([slate], actions), order, new_state("u", 0), ROOMY)
    assert [outcome.event_type for step in steps for outcome in step.outcomes] == [like]
    (example,) = ended(steps[-1].state, ROOMY).examples
    assert example.outcomes == {like: 1, unlike: 1}
