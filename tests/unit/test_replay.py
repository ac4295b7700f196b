"""The closed loop: who may send when."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.demo.replay import PATIENCE_SECONDS, Replay

TICK_SECONDS = 0.1


class Fate(NamedTuple):
    """What becomes of one event: ticks to its delivery report and to its slate, None for no slate."""

    report_ticks: int
    slate_ticks: int | None


class Trace(NamedTuple):
    """What a simulation saw."""

    sent: list[tuple[int, float]]
    slate_at: dict[int, float]
    most_waiting: int
    replay: Replay


FATES = st.builds(Fate, st.integers(0, 5), st.none() | st.integers(0, 30))
USERS = st.lists(st.sampled_from("abcdef"), max_size=40)


def simulate(users: list[str], sessions: int, fates: list[Fate], rate: float | None = None) -> Trace:
    replay = Replay(users, sessions, rate=rate)
    reports: dict[int, list[int]] = {}
    slates: dict[int, list[int]] = {}
    sent: list[tuple[int, float]] = []
    slate_at: dict[int, float] = {}
    most_waiting = tick = 0
    while not replay.done:
        assert tick < 100_000, "the replay does not end"
        now = tick * TICK_SECONDS
        while (index := replay.next(now)) is not None:
            sent.append((index, now))
            fate = fates[index % len(fates)]
            reports.setdefault(tick + fate.report_ticks, []).append(index)
            if fate.slate_ticks is not None:
                slates.setdefault(tick + fate.slate_ticks, []).append(index)
        most_waiting = max(most_waiting, replay.waiting)
        for index in slates.pop(tick, ()):
            slate_at[index] = now
            replay.slate(users[index], 0, index)
        for index in reports.pop(tick, ()):
            replay.delivered(index, 0, index)
        tick += 1
    return Trace(sent, slate_at, most_waiting, replay)


@given(users=USERS, sessions=st.integers(1, 5), fates=st.lists(FATES, min_size=1, max_size=40))
def test_every_event_is_sent_exactly_once(users: list[str], sessions: int, fates: list[Fate]) -> None:
    trace = simulate(users, sessions, fates)
    assert sorted(index for index, _ in trace.sent) == list(range(len(users)))
    assert trace.replay.sent == len(users)


@given(users=USERS, sessions=st.integers(1, 5), fates=st.lists(FATES, min_size=1, max_size=40))
def test_the_order_of_each_user_is_kept(users: list[str], sessions: int, fates: list[Fate]) -> None:
    trace = simulate(users, sessions, fates)
    for user in set(users):
        theirs = [index for index, _ in trace.sent if users[index] == user]
        assert theirs == sorted(theirs)


@given(users=USERS, sessions=st.integers(1, 5), fates=st.lists(FATES, min_size=1, max_size=40))
def test_never_more_users_wait_than_there_are_sessions(users: list[str], sessions: int, fates: list[Fate]) -> None:
    assert simulate(users, sessions, fates).most_waiting <= sessions


@given(users=USERS, sessions=st.integers(1, 5), fates=st.lists(FATES, min_size=1, max_size=40))
def test_a_user_goes_on_only_after_a_slate_or_after_patience(
    users: list[str], sessions: int, fates: list[Fate]
) -> None:
    trace = simulate(users, sessions, fates)
    for user in set(users):
        theirs = [(index, at) for index, at in trace.sent if users[index] == user]
        for (index, at), (_, next_at) in pairwise(theirs):
            slate_at = trace.slate_at.get(index, float("inf"))
            assert next_at >= min(slate_at, at + PATIENCE_SECONDS) - 1e-9


@given(users=USERS, rate=st.floats(0.5, 50), fates=st.lists(FATES, min_size=1, max_size=40))
def test_the_rate_is_never_exceeded(users: list[str], rate: float, fates: list[Fate]) -> None:
    sent = simulate(users, 5, fates, rate).sent
    for count, (_, at) in enumerate(sent):
        assert count <= (at - sent[0][1] + 0.05) * rate + 1e-6


def test_the_earliest_event_of_the_free_users_goes_first() -> None:
    replay = Replay(["a", "a", "b", "c"], sessions=2)
    assert [replay.next(0), replay.next(0), replay.next(0)] == [0, 2, None]
    replay.delivered(0, 0, 10)
    assert replay.slate("a", 0, 10) == [0]
    assert replay.next(0.1) == 1


def test_a_slate_of_an_earlier_event_answers_nothing() -> None:
    replay = Replay(["a"], sessions=1)
    replay.next(0)
    replay.delivered(0, 0, 10)
    assert replay.slate("a", 0, 9) == []
    assert not replay.done


def test_a_slate_from_another_partition_answers_nothing() -> None:
    replay = Replay(["a"], sessions=1)
    replay.next(0)
    replay.delivered(0, 0, 10)
    assert replay.slate("a", 1, 99) == []


def test_a_slate_past_the_event_answers_it() -> None:
    replay = Replay(["a"], sessions=1)
    replay.next(0)
    replay.delivered(0, 0, 10)
    assert replay.slate("a", 0, 12) == [0]
    assert replay.done


def test_a_slate_may_overtake_the_delivery_report_of_its_event() -> None:
    replay = Replay(["a"], sessions=1)
    replay.next(0)
    assert replay.slate("a", 0, 10) == []
    assert replay.delivered(0, 0, 10) == [0]
    assert replay.done


def test_a_late_slate_counts_as_unanswered_and_still_answers() -> None:
    replay = Replay(["a", "a"], sessions=1)
    replay.next(0)
    replay.delivered(0, 0, 10)
    assert replay.next(PATIENCE_SECONDS - 0.01) is None
    assert replay.next(PATIENCE_SECONDS) == 1
    assert replay.unanswered == 1
    assert replay.slate("a", 0, 10) == [0]
    assert (replay.answered, replay.waiting) == (1, 1)


@pytest.mark.parametrize("sessions", [1, 3])
def test_an_empty_replay_is_done(sessions: int) -> None:
    assert Replay([], sessions).done
