"""A receipt leaves out no place where something of a user may lie, and says by when it is gone from there."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import decode_receipt
from streams.privacy.receipts import ERASURE_HEADER, erasure_of, receipt, receipt_record
from streams.topics import CATALOGUE, ITEM_TRENDS, MODELS, USER_STATE, Topic, all_topics, dead_letters

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WITHOUT_USERS = {CATALOGUE, dead_letters(CATALOGUE), ITEM_TRENDS, "item.vectors.v1.e"}


def test_every_topic_that_may_hold_a_user_is_named() -> None:
    told = receipt("state", "e1", "anna", [USER_STATE], NOW)
    named = {kept.what for kept in told.retained}
    topics = {topic.name for topic in all_topics("e")} - WITHOUT_USERS
    assert topics <= named
    assert named - topics == {"changelog of the feedback tables"}
    assert all(kept.why for kept in told.retained)


@pytest.mark.parametrize("topic", [topic for topic in all_topics("e") if topic.name not in WITHOUT_USERS])
def test_the_date_is_that_of_the_topics_retention_or_compaction(topic: Topic) -> None:
    name, cleanup, retention = topic.name, topic.cleanup, topic.retention or timedelta(0)
    (until,) = {kept.until for kept in receipt("state", "e1", "anna", [], NOW).retained if kept.what == name}
    if name == MODELS:
        assert until is None, "nobody knows when a model without the user is trained"
    else:
        # A segment is closed after a day, and goes or is compacted within another.
        assert until == NOW + timedelta(days=2) + (retention if cleanup == "delete" else timedelta(0))


def test_what_others_clear_is_told_by_them_and_what_remains_by_the_state_worker_alone() -> None:
    told = receipt("ranking", "e1", "anna", ["recommendations.v1", "memory"], NOW)
    assert [(each.what, each.at) for each in told.cleared] == [("recommendations.v1", NOW), ("memory", NOW)]
    assert told.retained == ()
    record = receipt_record(3, told)
    assert (record.partition, record.key) == (3, b"anna")
    assert decode_receipt(record.value or b"") == told


@given(st.lists(st.tuples(st.sampled_from([ERASURE_HEADER, "other"]), st.none() | st.binary(max_size=8))))
def test_any_headers_name_an_erasure_or_none(headers: list[tuple[str, bytes | None]]) -> None:
    named = [value for name, value in headers if name == ERASURE_HEADER and value]
    found = erasure_of(tuple(headers))
    assert (found is None) == (not named)
