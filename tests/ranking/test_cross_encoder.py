"""Laws of the cross-encoder: what it reads, what it may move, and that it comes back whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertForSequenceClassification

from encoder import places
from encoder.adapted import Adapted, learned, load_adapted, restore
from encoder.cross import CrossEncoder
from streams.errors import DataError, SettingError
from streams.settings import Settings, load_settings
from streams.settings.training import TrainingSettings
from tests.devices import DEVICES
from tests.ranking.making import assert_no_score_moves_with_the_batch
from tests.ranking.test_rescoring import KNOWN, STATES, second_stage
from tests.ranking.tiny import chosen, tiny_bert
from tests.ranking.worlds import NOW_MS, bundle, catalogue, clicks
from workers.ranking.adding import check_scorers
from workers.ranking.candidates import Scores
from workers.ranking.deadline import Level
from workers.ranking.generation import Generation
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.cross import best_of, described, history_text, newest_liked
from workers.ranking.model.manifest import Origin
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import EVENT_TYPES, RATING_BUCKETS
from workers.ranking.pipeline import Pipeline, Stages
from workers.ranking.scorers import without_cross_encoder

pytest.importorskip("peft", reason="the extra `lora` is not installed")
READ = 5


def moved(directory: Path, device: str = "cpu") -> Adapted:
    """Return the model with adapters that say something."""
    adapted = load_adapted(chosen(directory), "training.cross_encoder", device=device)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in adapted.module.parameters():
            if weight.requires_grad:
                weight.copy_(torch.empty(weight.shape).normal_(std=0.3, generator=generator))
    return adapted


PASTS = [f"title {number}; title {number + 7}. drama" for number in range(20)]
TEXTS = [f"title {number % 9}" + ". comedy horror drama" * (number % 4) for number in range(20)]


@pytest.mark.parametrize("device", DEVICES)
def test_a_pair_has_its_number_in_any_batch_on_any_device(tiny: Path, device: str) -> None:
    adapted = moved(tiny, device)
    assert adapted.module.device.type == device
    whole = CrossEncoder(adapted, 48, 256).scores(PASTS, TEXTS)
    assert np.ptp(whole) > 0.1
    np.testing.assert_allclose(CrossEncoder(adapted, 48, 100_000).scores(PASTS, TEXTS), whole, atol=1e-5)
    for place in (0, 7, 19):
        alone = CrossEncoder(adapted, 48).scores([PASTS[place]], [TEXTS[place]])
        np.testing.assert_allclose(alone, whole[[place]], atol=1e-5)
    assert not len(CrossEncoder(adapted, 48).scores([], []))
    np.testing.assert_allclose(whole, CrossEncoder(moved(tiny), 48).scores(PASTS, TEXTS), atol=1e-4)


def test_a_fresh_adapter_changes_nothing_of_the_model(tiny: Path) -> None:
    adapted = load_adapted(chosen(tiny), "training.cross_encoder", device="cpu", seed=3)
    plain, told = BertForSequenceClassification.from_pretrained(tiny, num_labels=1, output_loading_info=True)
    assert {name.partition(".")[0] for name in told["missing_keys"]} == {"classifier"}
    plain.eval().classifier.load_state_dict(adapted.module.classifier.state_dict())
    tokens = AutoTokenizer.from_pretrained(tiny)(PASTS, TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = plain(**tokens).logits[:, 0].numpy()
    np.testing.assert_allclose(CrossEncoder(adapted, 48).scores(PASTS, TEXTS), expected, atol=1e-5)


def test_what_learns_is_adapters_and_head_and_equal_seeds_make_them_equal(tiny: Path) -> None:
    one, same, other = (
        learned(load_adapted(chosen(tiny), "x", device="cpu", seed=seed).module) for seed in (1, 1, 2)
    )
    assert all(".lora_" in name or name.startswith("classifier.") for name in one)
    assert any(".lora_A." in name for name in one)
    assert {"classifier.weight", "classifier.bias"} <= set(one)
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    query = learned(load_adapted(chosen(tiny, lora_targets=("query",)), "x", device="cpu").module)
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in query if ".lora_" in name} == {"query"}


def test_a_text_that_is_too_long_is_cut_and_one_that_is_no_unicode_is_read(tiny: Path) -> None:
    encoder = CrossEncoder(moved(tiny), 10_000)
    long = "; ".join(["title 1 2 3"] * 200)
    found = encoder.scores([long, "\ud800"], ["title 3", "title"])
    assert np.isfinite(found).all()


@pytest.mark.parametrize("device", DEVICES)
def test_weights_come_back_and_another_model_is_refused(tiny: Path, tmp_path: Path, device: str) -> None:
    before = moved(tiny, device)
    again = load_adapted(chosen(tiny), "x", device=device, seed=9)
    for adapted in (before, again):
        adapted.module.double()  # in float32 merging rounds otherwise, by 1e-4 to 2.4e-4 on some processors
    expected = CrossEncoder(before, 48).scores(PASTS, TEXTS)
    restore(again, learned(before.module), "tiny", before.sha256)
    np.testing.assert_allclose(CrossEncoder(again, 48).scores(PASTS, TEXTS), expected, atol=1e-6)  # merged
    other = load_adapted(chosen(tiny_bert(tmp_path / "other", seed=1)), "x", device="cpu")
    with pytest.raises(DataError, match=r"trained on the model tiny with other weights.*ranking\.cross_encoder"):
        restore(other, learned(before.module), "tiny", before.sha256)
    with pytest.raises(DataError, match="do not fit the model tiny"):
        restore(load_adapted(chosen(tiny, lora_rank=3), "x"), learned(before.module), "tiny", before.sha256)


def test_what_cannot_be_loaded_is_named(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingError, match=r"Setting here\.model is '.*empty', which cannot be loaded"):
        load_adapted(chosen(tmp_path / "empty"), "here")
    with pytest.raises(SettingError, match=r"lora_targets names nothing,.* query, value"):
        load_adapted(chosen(tiny, lora_targets=("nothing", "query")), "here")
    if not torch.cuda.is_available():
        with pytest.raises(SettingError, match=r"here\.device is 'cuda'"):
            load_adapted(chosen(tiny), "here", device="cuda")
    monkeypatch.setattr(places, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match=r"peft is not installed.*headrace\[lora\]"):
        load_adapted(chosen(tiny), "here")
    with pytest.raises(SettingError, match=r"peft is not installed.*headrace\[lora\]"):
        Stages(load_settings(ranking={"added_scorers": ["cross_encoder"]}))


@pytest.mark.parametrize("template", ["words", "{title} {price}", "{title} {", "{title|price}"])
def test_a_template_of_what_ranking_workers_do_not_hold_is_refused(template: str) -> None:
    with pytest.raises(SettingError, match=r"training\.cross_encoder\.item_template is wrong"):
        load_settings(training={"cross_encoder": {"item_template": template}})
    assert described("Up", ("Drama", "Comedy"), "{title}. {categories}") == "Up. Drama, Comedy"
    assert described("Up", (), "{title}. {categories}") == "Up."


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0.0, 1.0, 2.5, -np.inf, np.nan])), max_size=60),
    st.integers(1, 5),
)
def test_the_best_of_each_owner_are_those_that_a_sort_gives(pairs: list[tuple[int, float]], most: int) -> None:
    pairs.sort(key=lambda pair: pair[0])
    owners = np.array([owner for owner, _ in pairs], np.int64)
    scores = np.array([score for _, score in pairs], np.float32)
    expected = []
    for owner in range(7):
        here = [place for place, (other, _) in enumerate(pairs) if other == owner]
        expected += sorted(here, key=lambda place: np.inf if np.isnan(pairs[place][1]) else -pairs[place][1])[
            :most
        ]
    assert best_of(scores, owners, most).tolist() == sorted(expected)


def test_it_reads_what_was_liked_last_each_once() -> None:
    click = RATING_BUCKETS + [kind.value for kind in EVENT_TYPES].index("click")
    dislike = RATING_BUCKETS + [kind.value for kind in EVENT_TYPES].index("dislike")
    rows, signals = np.array([4, 5, 6, 4, 7, 8]), np.array([click, 3, 2, 4, dislike, click])
    assert newest_liked(rows, signals, 9).tolist() == [8, 4, 5]
    assert newest_liked(rows, signals, 2).tolist() == [8, 4]
    assert newest_liked(rows[2:3], signals[2:3], 9).tolist() == [6]
    assert history_text(["new", "old"]) == "new; old"


def cross_bundle(directory: Path) -> Bundle:
    settings = TrainingSettings(stages=("towers", "reranker", "cross_encoder"), cross_encoder=chosen(directory))
    adapted = moved(directory)
    weights = {"cross_encoder": learned(adapted.module)}
    origin = Origin(str(directory), None, adapted.sha256)
    return bundle(0, KNOWN, second_stage(), settings, weights, origin)


def served(directory: Path, *added: str, **ranking: object) -> Pipeline:
    chosen_settings = Settings(
        ranking={"added_scorers": added, "cross_encoder": {"candidates": READ, "device": "cpu"}} | ranking  # type: ignore[arg-type]
    )
    model = Model(cross_bundle(directory), chosen_settings.ranking.cross_encoder if added else None)
    generation = Generation(model, catalogue(chosen_settings), chosen_settings)
    return Pipeline(generation, chosen_settings, Stages(chosen_settings))


def orders(scores: Scores) -> list[int]:
    found: list[int] = np.argsort(-scores, kind="stable").tolist()
    return found


def test_it_reads_the_best_and_the_others_keep_their_order_below(tiny: Path) -> None:
    pipeline, plain = served(tiny, "cross_encoder"), served(tiny)
    queries = pipeline.hydrate(STATES)
    candidates, _ = pipeline.candidates(queries, NOW_MS)
    scored, without = pipeline.score(queries, candidates), plain.score(queries, candidates)
    np.testing.assert_allclose(sum(scored.parts.values()), scored.scores, atol=1e-5)
    np.testing.assert_allclose(without.scores + scored.parts["cross_encoder"], scored.scores, atol=1e-5)
    for query, span in zip(queries, candidates.spans(len(queries)), strict=True):
        added, before, after = scored.parts["cross_encoder"][span], without.scores[span], scored.scores[span]
        if query.vector is None:
            assert not added.any()
            continue
        best = orders(before)
        assert sorted(np.flatnonzero(added).tolist()) == sorted(best[:READ])
        assert (added[best[:READ]] > 0).all()
        assert orders(after)[READ:] == best[READ:]
        assert np.ptp(added[best[:READ]]) > 0.01
    less = pipeline.score(queries, candidates, without_cross_encoder)
    np.testing.assert_array_equal(less.scores, without.scores)


def test_a_score_moves_with_no_other_user(tiny: Path) -> None:
    assert_no_score_moves_with_the_batch(served(tiny, "cross_encoder"), STATES)


def test_a_candidate_that_is_read_has_the_same_score_whoever_else_is_there(tiny: Path) -> None:
    pipeline = served(tiny, "cross_encoder")
    (query,) = pipeline.hydrate([clicks("a", 3, 8, 55)])
    candidates, _ = pipeline.candidates([query], NOW_MS)
    whole = pipeline.score([query], candidates)
    read = np.flatnonzero(whole.parts["cross_encoder"])
    for place in read.tolist():
        alone = pipeline.score([query], candidates.keep(np.arange(len(candidates.rows)) == place))
        np.testing.assert_allclose(alone.scores, whole.scores[[place]], atol=1e-5)


def test_without_time_it_is_what_is_left_out_first(tiny: Path) -> None:
    pipeline = served(tiny, "cross_encoder", deadline_seconds=60.0)
    assert {slate.degraded for slate in pipeline.recommend(STATES, NOW_MS)} == {None}
    pipeline._stages.deadline._scoring_seconds[Level.FULL] = 1_000.0
    slates = pipeline.recommend(STATES, NOW_MS)
    assert {slate.degraded for slate in slates} == {"model"}
    parts = {name for slate in slates for item in slate.parts for name in item}
    assert "evidence" in parts
    assert "cross_encoder" not in parts
    plain = served(tiny).recommend(STATES, NOW_MS)
    assert [slate.rows.tolist() for slate in slates] == [slate.rows.tolist() for slate in plain]


def test_what_it_takes_is_known_before_the_first_batch(tiny: Path) -> None:
    pipeline = served(tiny, "cross_encoder", deadline_seconds=60.0)
    cross = pipeline._generation.model.cross
    assert cross is not None
    assert 0 < cross.slate_seconds == pipeline._stages.deadline._scoring_seconds[Level.FULL]
    cross.slate_seconds = 1_000.0
    settings = Settings(ranking=pipeline._settings)
    slow = Stages(settings)
    again = Pipeline(pipeline._generation, settings, slow)
    assert {slate.degraded for slate in again.recommend(STATES, NOW_MS)} == {"model"}
    assert slow.deadline._scoring_seconds[Level.FULL] < 1_000.0, "it is tried again some day"


def test_the_bundle_holds_adapters_alone_and_names_the_model(tiny: Path, tmp_path: Path) -> None:
    saved = cross_bundle(tiny)
    saved.save(tmp_path / "a")
    loaded = Bundle.load(tmp_path / "a")
    assert loaded.manifest == saved.manifest
    assert loaded.manifest.base_model == Origin(str(tiny), None, moved(tiny).sha256)
    assert Model(loaded).cross is None, "nobody asked for it"
    assert "base_model" not in bundle().manifest.to_json().decode()
    path = tmp_path / "a" / "cross_encoder.safetensors"
    assert path.stat().st_size < (tiny / "model.safetensors").stat().st_size
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"cross_encoder\.safetensors is damaged"):
        Bundle.load(tmp_path / "a")


def test_another_base_model_where_the_settings_say_is_refused(tiny: Path, tmp_path: Path) -> None:
    other = load_settings(ranking={"cross_encoder": {"model": str(tiny_bert(tmp_path / "b", seed=5))}})
    with pytest.raises(DataError, match="with other weights than those that were loaded"):
        Model(cross_bundle(tiny), other.ranking.cross_encoder)
    same = load_settings(ranking={"cross_encoder": {"model": str(tiny_bert(tmp_path / "c"))}})
    assert Model(cross_bundle(tiny), same.ranking.cross_encoder).cross is not None
    with pytest.raises(DataError, match=r"which the model .* does not have; it has: none"):
        check_scorers(Model(bundle()), ["cross_encoder"])
