"""One suite for every encoder."""

import socket
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from prometheus_client import REGISTRY

from encoder.contract import Encoder, Vectors
from encoder.deduplicating import DeduplicatingEncoder
from encoder.identity import encoder_id
from encoder.loading import load_encoder
from streams.errors import DataError, SettingError
from streams.settings.encoder import EncoderSettings
from tests.devices import DEVICES

EMOJI = "Größe 42 👟🔥"
TEXTS = ["a red lamp", "lamp", EMOJI, "", "日本語", "a\u0000b\ud800c", "word " * 3_000, "lamp"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@lru_cache
def sentence(device: str) -> Encoder:
    return load_encoder(EncoderSettings.model_validate({"device": device}))


@lru_cache
def cut(device: str) -> Encoder:
    fields = {"device": device, "dimension": 64, "token_budget": 256, "query_prompt": "query: "}
    return load_encoder(EncoderSettings.model_validate(fields))


def deduplicating(device: str) -> Encoder:
    return DeduplicatingEncoder(sentence(device), capacity=4)


@pytest.fixture(params=[sentence, cut, deduplicating], ids=["sentence", "cut", "deduplicating"])
def make(request: pytest.FixtureRequest) -> Callable[[str], Encoder]:
    found: Callable[[str], Encoder] = request.param
    return found


@pytest.fixture
def encoder(make: Callable[[str], Encoder], device: str) -> Encoder:
    return make(device)


@pytest.fixture(params=["documents", "queries"])
def encode(request: pytest.FixtureRequest, encoder: Encoder) -> Callable[[Sequence[str]], Vectors]:
    return encoder.encode_documents if request.param == "documents" else encoder.encode_queries


def test_rows_are_finite_unit_float32_of_the_dimension(
    encoder: Encoder, encode: Callable[[Sequence[str]], Vectors]
) -> None:
    vectors = encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_vector_depends_on_its_text_alone(encode: Callable[[Sequence[str]], Vectors]) -> None:
    alone = np.vstack([encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encode(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(encode(TEXTS[::-1]), alone[::-1], atol=1e-5)


def test_the_same_call_gives_the_same_vectors(encode: Callable[[Sequence[str]], Vectors]) -> None:
    np.testing.assert_allclose(encode(TEXTS[:5]), encode(TEXTS[:5]), atol=1e-5)


def test_equal_texts_have_equal_vectors_and_others_do_not(encode: Callable[[Sequence[str]], Vectors]) -> None:
    vectors = encode(["lamp", "shoe", "lamp"])
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-5)
    assert vectors[0] @ vectors[1] < 0.99


def test_no_texts_give_no_rows(encoder: Encoder, encode: Callable[[Sequence[str]], Vectors]) -> None:
    vectors = encode([])
    assert vectors.shape == (0, encoder.dimension)
    assert vectors.dtype == np.float32


def test_a_caller_may_change_what_it_got(encode: Callable[[Sequence[str]], Vectors]) -> None:
    before = encode(["a red lamp"])
    kept = before.copy()
    before[:] = 0
    np.testing.assert_allclose(encode(["a red lamp"]), kept, atol=1e-5)


def test_a_device_does_not_show_in_the_vectors(make: Callable[[str], Encoder], device: str) -> None:
    there, here = make(device), make("cpu")
    assert there.id == here.id
    np.testing.assert_allclose(there.encode_documents(TEXTS), here.encode_documents(TEXTS), atol=1e-4)
    np.testing.assert_allclose(there.encode_queries(TEXTS), here.encode_queries(TEXTS), atol=1e-4)


def test_meaning_is_near(encoder: Encoder) -> None:
    query = encoder.encode_queries(["something to light a room"])
    near, far = encoder.encode_documents(["a bright desk lamp", "a leather football"])
    assert query[0] @ near > query[0] @ far


def test_the_id_is_the_one_that_settings_foretell() -> None:
    assert sentence("cpu").id == deduplicating("cpu").id == encoder_id(EncoderSettings(device="cpu"))
    assert sentence("cpu").id != cut("cpu").id


def test_a_query_prompt_changes_queries_only() -> None:
    assert not np.allclose(cut("cpu").encode_queries(["lamp"]), cut("cpu").encode_documents(["lamp"]), atol=1e-3)
    bare = sentence("cpu")
    np.testing.assert_allclose(bare.encode_queries(["lamp"]), bare.encode_documents(["lamp"]), atol=1e-6)


def test_a_cut_vector_is_the_normalised_head_of_the_whole_one() -> None:
    head = sentence("cpu").encode_documents(["a red lamp"])[:, :64]
    np.testing.assert_allclose(cut("cpu").encode_documents(["a red lamp"]), head / np.linalg.norm(head), atol=1e-5)


def test_bfloat16_stays_near_float32(device: str) -> None:
    half = load_encoder(EncoderSettings.model_validate({"device": device, "dtype": "bfloat16"}))
    texts = ["a red lamp", EMOJI, "word " * 300]
    cosine = (half.encode_documents(texts) * sentence("cpu").encode_documents(texts)).sum(axis=1)
    assert cosine.min() > 0.999


def test_the_bundled_model_loads_without_a_network_and_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the bundled model reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_encoder(EncoderSettings(device="cpu")).encode_documents(TEXTS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("broken", ["no such name!", "."])
def test_a_model_that_cannot_be_loaded_is_a_setting_error_that_says_what_to_do(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=r"encoder\.model.*cannot be loaded.*Operator action") as caught:
        load_encoder(EncoderSettings(model=broken, device="cpu"))
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/no/such/model", "./model", "~/model"])
def test_a_folder_that_is_not_there_is_told_as_one(path: str) -> None:
    with pytest.raises(SettingError, match=r"encoder\.model is .*there is no such folder"):
        load_encoder(EncoderSettings(model=path))


def test_a_dimension_beyond_the_model_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match=r"encoder\.dimension is 1000.*makes 384"):
        load_encoder(EncoderSettings(device="cpu", dimension=1_000))


class Counting:
    """Remembers what it was asked for; the vector of a text is its length."""

    id = "counting"
    dimension = 2

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return -self.encode_documents(texts)


def test_a_text_goes_through_the_model_once() -> None:
    inner = Counting()
    cached = DeduplicatingEncoder(inner, capacity=10)
    before = _lookups("hit"), _lookups("miss")
    assert cached.encode_documents(["a", "bb", "a"])[:, 0].tolist() == [1, 2, 1]
    assert cached.encode_documents(["bb", "ccc"])[:, 0].tolist() == [2, 3]
    assert inner.asked == [["a", "bb"], ["ccc"]]
    assert (_lookups("hit") - before[0], _lookups("miss") - before[1]) == (2, 3)


def test_a_query_is_not_a_document() -> None:
    cached = DeduplicatingEncoder(Counting(), capacity=10)
    assert cached.encode_documents(["a"])[0, 0] == 1
    assert cached.encode_queries(["a"])[0, 0] == -1


def test_the_least_recently_used_text_is_forgotten_first() -> None:
    inner = Counting()
    cached = DeduplicatingEncoder(inner, capacity=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        cached.encode_documents([text])
    assert inner.asked == [["a"], ["b"], ["c"], ["b"]]


def test_without_capacity_only_repeats_within_a_call_are_saved() -> None:
    inner = Counting()
    cached = DeduplicatingEncoder(inner, capacity=0)
    cached.encode_documents(["a", "a"])
    cached.encode_documents(["a"])
    assert inner.asked == [["a"], ["a"]]
    with pytest.raises(ValueError, match="-1"):
        DeduplicatingEncoder(inner, capacity=-1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_no_vector_goes_no_further(bad: float) -> None:
    class Broken(Counting):
        def encode_documents(self, texts: Sequence[str]) -> Vectors:
            vectors = super().encode_documents(texts)
            vectors[[text == "bad" for text in texts]] = bad
            return vectors

    cached = DeduplicatingEncoder(Broken(), capacity=10)
    cached.encode_documents(["good"])
    with pytest.raises(DataError, match="'bad'"):
        cached.encode_documents(["good", "bad"])
    with pytest.raises(DataError, match="'bad'"):
        cached.encode_documents(["bad"])


def test_texts_tokens_and_time_are_reported() -> None:
    names = ("texts_total", "tokens_total", "seconds_sum")
    before = [_sample(name) for name in names]
    start = time.perf_counter()
    sentence("cpu").encode_documents(["lamp", "red lamp"])
    wall = time.perf_counter() - start
    texts, tokens, seconds = (_sample(name) - old for name, old in zip(names, before, strict=True))
    assert (texts, tokens) == (2, 7)  # With [CLS] and [SEP], without padding.
    assert 0 < seconds < wall


def _sample(name: str) -> float:
    if name == "seconds_sum":
        stages = ("tokenize", "forward")
        return sum(
            REGISTRY.get_sample_value(f"headrace_encoder_{name}", {"stage": stage}) or 0 for stage in stages
        )
    return REGISTRY.get_sample_value(f"headrace_encoder_{name}") or 0


def _lookups(outcome: str) -> float:
    return REGISTRY.get_sample_value("headrace_encoder_cache_lookups_total", {"outcome": outcome}) or 0


def test_a_wrong_template_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(SettingError, match=r"encoder\.item_template has the unknown field 'titel'"):
        load_encoder(EncoderSettings(model="nowhere", item_template="{titel}"))
