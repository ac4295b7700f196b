"""What the embedding worker makes of any item: a vector and all its fields, or a dead letter; never an end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import decode_item_vector
from streams.contracts import Rejected
from streams.topics import CATALOGUE, PASSED_ON_BYTES
from tests.unit.test_requests import handled, record, transform

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.dictionaries(st.text(), scalars, max_size=3))
def test_an_item_goes_on_whole_or_is_rejected_whatever_its_attributes_are(attributes: dict[str, object]) -> None:
    worker = transform()
    item = record(json.dumps({"item_id": "i", "title": "T", "attributes": attributes}).encode(), b"i", CATALOGUE)
    numbers = [value for value in attributes.values() if isinstance(value, int)]
    if not all(-(2**63) <= number < 2**63 for number in numbers):
        assert isinstance(worker.decode(item), Rejected)
        return
    (output,) = handled(worker, item)
    assert decode_item_vector(output.value or b"").attributes == attributes


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_that_cannot_go_on_is_a_dead_letter_that_names_it(value: int) -> None:
    found = transform().decode(
        record(json.dumps({"item_id": "i", "title": "T", "attributes": {"gtin": value}}).encode(), b"i", CATALOGUE)
    )
    assert isinstance(found, Rejected)
    assert found.reason == "invalid"
    assert "attributes" in found.detail


@pytest.mark.parametrize("topic", [CATALOGUE, "ranking.requests.v1"])
def test_a_record_that_would_be_too_large_with_its_vector_is_a_dead_letter(topic: str) -> None:
    whole = {"item_id": "i", "title": "T", "request_id": "r", "user_id": "u", "padding": ""}
    room = PASSED_ON_BYTES - len(json.dumps(whole))
    for size, rejected in ((room, False), (room + 1, True)):
        found = transform().decode(record(json.dumps({**whole, "padding": "x" * size}).encode(), b"i", topic))
        assert isinstance(found, Rejected) is rejected
        assert not isinstance(found, Rejected) or found.reason == "oversize"
