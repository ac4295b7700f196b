"""The committed JSON Schemas are what the contracts say, and accept what we write."""

import json
from pathlib import Path

import jsonschema
import pytest

from streams.codec import encode_json
from streams.contracts.schemas import schemas
from streams.topics import CATALOGUE, CLICKSTREAM
from workers.datasets.sample import load

COMMITTED = Path(__file__).parents[2] / "deploy" / "schemas"


def test_the_committed_schemas_are_fresh() -> None:
    found = {path.name: path.read_text() for path in COMMITTED.glob("*.json")}
    assert found == schemas(), "run `make schemas`"


def test_what_we_write_is_valid_and_what_is_not_an_event_is_not() -> None:
    sample = load()
    event = jsonschema.Draft202012Validator(json.loads(schemas()[f"{CLICKSTREAM}.json"]))
    item = jsonschema.Draft202012Validator(json.loads(schemas()[f"{CATALOGUE}.json"]))
    for each in sample.events[:200]:
        event.validate(json.loads(encode_json(each)))
    for thing in sample.items:
        item.validate(json.loads(encode_json(thing)))
    with pytest.raises(jsonschema.ValidationError):
        event.validate({"event_id": "e"})
