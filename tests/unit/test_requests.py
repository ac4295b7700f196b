"""What becomes of a request before it is ranked: passed on whole to where its user is, or rejected and why."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from encoder.contract import Vectors
from streams.codec import decode_ranking_query, encode_json
from streams.contracts import Item, Output, RankingRequest, Record, Rejected
from streams.errors import DataError
from streams.partitioner import owner
from streams.privacy.pseudonyms import known_as
from streams.settings import Settings, load_settings
from streams.topics import CATALOGUE, RANKING_QUERIES, RANKING_REQUESTS
from workers.asking import request_of
from workers.embedding import EmbeddingTransform

PARTITIONS = 4
SETTINGS = load_settings()


class Letters:
    """An encoder of two numbers: the same words, another vector for a query than for a document."""

    id = "letters"
    dimension = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.tile(np.array([0, 1], np.float32), (len(texts), 1))


def record(value: bytes | None, key: bytes | None = b"any", topic: str = RANKING_REQUESTS) -> Record:
    return Record(topic, 3, 17, 1_700_000_000_000, key, value, ())


def transform(settings: Settings = SETTINGS, encoder: Letters | None = None) -> EmbeddingTransform:
    made = EmbeddingTransform(settings, encoder or Letters(), PARTITIONS)
    made.assigned([3])
    return made


def handled(worker: EmbeddingTransform, *records: Record) -> list[Output]:
    messages = [worker.decode(each) for each in records]
    return list(worker.handle([each for each in messages if not isinstance(each, Rejected)]))


identifiers = st.text(min_size=1, max_size=20)
requests = st.builds(
    RankingRequest,
    request_id=identifiers,
    user_id=identifiers,
    query=st.none() | st.text(min_size=1, max_size=20),
    length=st.none() | st.integers(1, 1_000),
    exclude=st.lists(identifiers, max_size=3).map(tuple),
    include_seen=st.booleans(),
    context=st.dictionaries(identifiers, st.none() | identifiers | st.integers(-(2**63), 2**63 - 1), max_size=2),
)


@given(st.lists(requests, max_size=5))
def test_requests_arrive_whole_where_their_users_are_wherever_they_were_put(asked: list[RankingRequest]) -> None:
    encoder = Letters()
    outputs = handled(transform(encoder=encoder), *(record(encode_json(each)) for each in asked))
    assert encoder.asked == [each.query for each in asked if each.query is not None]
    found = [decode_ranking_query(each.value or b"") for each in outputs]
    assert [each.request for each in found] == asked
    for output, query in zip(outputs, found, strict=True):
        key = query.request.user_id.encode()
        assert (output.topic, output.key, output.partition) == (RANKING_QUERIES, key, owner(key, PARTITIONS))
        assert query.source.offset == 17
        assert query.encoder_id == "letters"
        vector = np.frombuffer(query.vector, "<f4").tolist()
        assert vector == ([] if query.request.query is None else [0, 1])


def test_items_and_requests_of_one_batch_do_not_mix() -> None:
    item = record(encode_json(Item(item_id="i", title="T")), b"i", CATALOGUE)
    outputs = handled(transform(), item, record(encode_json(request_of("u", "words"))))
    assert sorted(each.topic for each in outputs) == sorted([RANKING_QUERIES, "item.vectors.v1.letters"])


@given(st.none() | st.binary(max_size=40))
def test_bytes_that_are_no_request_are_rejected_and_raise_nothing(value: bytes | None) -> None:
    assert isinstance(transform().decode(record(value)), Rejected)


@pytest.mark.parametrize(
    ("value", "reason", "named"),
    [
        (b'{"schema_version":1,"request_id":"r","user_id":""}', "invalid", "user_id"),
        (b'{"schema_version":1,"request_id":"r","user_id":"u","query":""}', "invalid", "query"),
        (b'{"schema_version":1,"request_id":"r","user_id":"u","length":0}', "invalid", "length"),
        (
            b'{"schema_version":1,"request_id":"r","user_id":"u","context":{"n":9223372036854775808}}',
            "invalid",
            "n",
        ),
        (b'{"schema_version":2,"request_id":"r","user_id":"u"}', "invalid", "2"),
        (b"{", "malformed", "truncated"),
        (None, "empty", "value"),
    ],
)
def test_a_rejected_request_is_told_what_is_wrong_with_it(value: bytes | None, reason: str, named: str) -> None:
    found = transform().decode(record(value))
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert named in found.detail


def test_inside_a_request_has_the_pseudonym_of_its_user() -> None:
    privacy = SETTINGS.privacy.model_copy(update={"pseudonym_key": SecretStr("k" * 32)})
    settings = SETTINGS.model_copy(update={"privacy": privacy})
    (output,) = handled(transform(settings), record(encode_json(request_of("anna", "words"))))
    name = known_as("anna", privacy)
    assert name != "anna"
    assert output.key == name.encode()
    assert b"anna" not in (output.value or b"")
    assert decode_ranking_query(output.value or b"").request.user_id == name


def test_what_cannot_be_asked_is_one_sentence() -> None:
    with pytest.raises(DataError, match="length"):
        request_of("u", length=0)
    with pytest.raises(DataError, match="user_id"):
        request_of("")
