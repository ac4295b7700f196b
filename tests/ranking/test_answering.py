"""An answer holds what is near the words, under the same filters and caps as any slate, and its parts add up."""

from typing import cast

import numpy as np
import pytest

from streams.codec import decode_answer, encode_msgpack
from streams.contracts import (
    Answer,
    EventType,
    Output,
    RankingQuery,
    RankingRequest,
    Record,
    Rejected,
    Source,
    UserState,
)
from streams.topics import RANKING_ANSWERS, RANKING_QUERIES, RANKING_REQUESTS, USER_STATE
from tests.ranking import worlds
from tests.ranking.making import Makes
from tests.ranking.place import Place
from tests.ranking.worlds import NOW_MS, clicks
from workers.ranking.answering import Answering, nobody
from workers.ranking.candidates import Slate
from workers.ranking.pipeline import Pipeline

SOURCE = Source(topic=RANKING_REQUESTS, partition=2, offset=5, create_time_ms=NOW_MS - 50)


def query(number: int | None, user_id: str = "u", **fields: object) -> RankingQuery:
    """Return a request in words that mean what the text of item `number` means; None for no words."""
    words = None if number is None else f"like item {number}"
    request = RankingRequest(request_id="r", user_id=user_id, query=words, **fields)  # type: ignore[arg-type]
    vector = b"" if number is None else worlds.item(number).vector
    return RankingQuery(request=request, vector=vector, encoder_id="words", source=SOURCE)


def answered(pipeline: Pipeline, asked: RankingQuery, state: UserState | None = None) -> Slate:
    answering = Answering(pipeline._settings, pipeline._stages)
    user = state or nobody(asked.request.user_id, 0)
    return answering.slate(asked, user, pipeline, pipeline._generation, NOW_MS)


def rows(slate: Slate) -> list[int]:
    return cast(list[int], slate.rows.tolist())


@pytest.mark.parametrize("second", [False, True])
def test_what_the_words_mean_comes_first_when_they_count_for_enough(make: Makes, second: bool) -> None:
    pipeline = make(second=second, query_weight=1_000.0)
    for number in range(worlds.ITEMS):
        for state in (None, clicks("u", 50, 51, 52, 53)):
            if state is None or not 50 <= number < 54:
                slate = answered(pipeline, query(number), state)
                assert rows(slate)[0] == number
                assert {"query"} <= {reason.code for reason in slate.reasons[0]}


def test_the_parts_add_up_and_say_how_near_the_words_are(make: Makes) -> None:
    pipeline = make(second=True, query_weight=3.0)
    slate = answered(pipeline, query(7), clicks("u", 1, 2, 3, 4))
    texts = pipeline._generation.catalogue.text_vectors
    for row, score, parts in zip(slate.rows, slate.scores, slate.parts, strict=True):
        assert sum(parts.values()) == pytest.approx(score, abs=1e-5)
        assert parts["query"] == pytest.approx(3 * float(texts[row] @ texts[7]), abs=1e-5)


def test_without_weight_the_taste_ranks_what_the_words_found(make: Makes) -> None:
    pipeline = make(query_weight=0.0, query_candidates=12)
    state = clicks("u", 1, 2, 3, 4)
    slate = answered(pipeline, query(7, length=8), state)
    texts = pipeline._generation.catalogue.text_vectors[: worlds.ITEMS]
    # As many more are looked up as the user has seen.
    near = set(np.argsort(-(texts @ texts[7]), kind="stable")[: 12 + 4].tolist())
    assert set(rows(slate)) <= near - {1, 2, 3, 4}
    assert slate.scores.tolist() == sorted(slate.scores.tolist(), reverse=True)


def test_seen_items_are_left_out_unless_they_are_asked_for(make: Makes) -> None:
    pipeline = make(query_weight=1_000.0)
    state = worlds.state("u", [(7, EventType.PURCHASE), (8, EventType.CLICK), (9, EventType.DISLIKE)])
    assert not {7, 8, 9} & set(rows(answered(pipeline, query(7, length=60), state)))
    again = rows(answered(pipeline, query(7, length=60, include_seen=True), state))
    assert again[0] == 7
    assert 8 in again
    assert 9 not in again  # a dislike is no past to come back to


def test_what_may_not_be_shown_or_is_excluded_is_in_no_answer(make: Makes) -> None:
    def changed(number: int) -> dict[str, object]:
        return {"available": number != 7, "expires_at_ms": NOW_MS if number == 8 else None}

    pipeline = make(changed, query_weight=1_000.0, rules=("price != 9",))
    for number in (7, 8, 9, 10):
        found = rows(answered(pipeline, query(number, length=60, exclude=(worlds.item_id(10), "unknown"))))
        assert not {7, 8, 9, 10} & set(found)
        assert len(found) == worlds.ITEMS - 4


def test_without_words_the_answer_is_the_ordinary_slate_of_the_wanted_length(make: Makes) -> None:
    pipeline = make(second=True)
    for state in (nobody("u", 0), clicks("u", 1, 2, 3, 4)):
        (ordinary,) = pipeline.recommend([state], NOW_MS)
        slate = answered(pipeline, query(None, length=4), state)
        assert rows(slate) == rows(ordinary)[:4]
        assert slate.scores.tolist() == ordinary.scores[:4].tolist()
        assert slate.reasons == ordinary.reasons[:4]


class Asking(Place):
    encoder_id = "words"

    def ask(self, *asked: RankingQuery) -> list[Output]:
        records = [
            Record(RANKING_QUERIES, 0, n, NOW_MS, q.request.user_id.encode(), encode_msgpack(q), ())
            for n, q in enumerate(asked)
        ]
        decoded = [self.transform.decode(record) for record in records]
        return list(self.transform.handle([each for each in decoded if not isinstance(each, Rejected)]))


def message(output: Output) -> Answer:
    assert output.topic == RANKING_ANSWERS
    return decode_answer(output.value or b"")


def test_the_worker_answers_by_the_newest_state_and_changes_no_standing_slate() -> None:
    place = Asking()
    state = clicks("u", 1, 2, 3)
    record = Record(USER_STATE, 0, 0, NOW_MS, b"u", encode_msgpack(state), ())
    list(place.transform.handle([(record, state), (Record(RANKING_QUERIES, 0, 0, NOW_MS, b"u", None), query(7))]))
    standing = place.transform._standing.get(0, b"u")
    first, other = place.ask(query(7), query(7, "stranger", length=3))
    answer = message(first)
    assert answer.request_id == "r"
    assert answer.query == "like item 7"
    assert answer.source == SOURCE
    assert (first.partition, first.key) == (0, b"u")
    assert not {worlds.item_id(n) for n in (1, 2, 3)} & {item.item_id for item in answer.items}
    assert len(message(other).items) == 3
    assert place.transform._standing.get(0, b"u") == standing


def test_an_empty_catalogue_gives_an_empty_answer() -> None:
    settings = worlds.settings()
    empty = worlds.generation(settings, count=0)
    slate = answered(Pipeline(empty, settings), query(7))
    assert rows(slate) == []
    empty.close()


def test_words_of_another_encoder_and_bytes_that_are_nothing_are_rejected() -> None:
    place = Asking()
    foreign = query(7)
    value = encode_msgpack(
        RankingQuery(request=foreign.request, vector=foreign.vector, encoder_id="other", source=SOURCE)
    )
    short = encode_msgpack(
        RankingQuery(request=foreign.request, vector=foreign.vector[:-1], encoder_id="words", source=SOURCE)
    )
    bad = (
        (value, "other_encoder"),
        (short, "invalid"),
        (b"\x01", "invalid"),
        (b"\xc1", "malformed"),
        (None, "malformed"),
    )
    for body, reason in bad:
        found = place.transform.decode(Record(RANKING_QUERIES, 0, 0, NOW_MS, b"u", body, ()))
        assert isinstance(found, Rejected)
        assert found.reason == reason


def test_where_requests_are_off_they_are_not_read() -> None:
    assert Asking(requests=False).transform.sources == (USER_STATE,)
