"""The questions of a replay are its events, each put before it is applied."""

from datetime import UTC, datetime, timedelta

import numpy as np

from streams.contracts import Event, EventType
from streams.settings.state import RatingScale
from tests.bench.offline import asked
from workers.ranking.evaluation.evaluate import read_log
from workers.ranking.model.training import ItemTexts

ITEMS = 20


def events() -> list[Event]:
    draws = np.random.default_rng(0)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    for number in range(300):
        kind = EventType.IMPRESSION if number % 10 == 0 else EventType.CLICK
        found.append(
            Event(
                event_id=f"e{number}",
                event_type=kind,
                user_id=f"u{draws.integers(12)}",
                event_time=start + timedelta(minutes=number // 3),  # three at a time
                item_id=f"i{draws.integers(ITEMS)}",
            )
        )
    return found


def test_each_new_item_of_the_replay_is_asked_for_from_all_that_its_user_did_before() -> None:
    told, newest = events(), 100
    texts = ItemTexts(tuple(f"i{number}" for number in range(ITEMS)), np.zeros((ITEMS, 4), np.float32))
    questions = asked(told, read_log(told, texts, RatingScale()), newest)
    expected = []
    histories: dict[str, list[int]] = {}
    for number, event in enumerate(told):
        if event.event_type is EventType.IMPRESSION:
            continue
        item = int((event.item_id or "")[1:])
        before = histories.setdefault(event.user_id, [])
        if number >= len(told) - newest and item not in before:
            expected.append((tuple(before), item))
        before.append(item)
    rows = questions.log.events.rows.tolist()
    spans = zip(questions.starts.tolist(), questions.ends.tolist(), strict=True)
    got = [(tuple(rows[start:end]), target) for (start, end), target in zip(spans, questions.targets, strict=True)]
    assert sorted(got) == sorted(expected)
    assert questions.train.sum() == sum(
        event.event_type is not EventType.IMPRESSION for event in told[: len(told) - newest]
    )
