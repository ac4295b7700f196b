"""Laws of the candidate-isolated attention: the plain mask is its oracle, and no other candidate moves a score."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from streams.errors import DataError, SettingError
from streams.settings import load_settings
from streams.settings.scorers import IsolatedTraining
from streams.settings.training import TrainingSettings
from tests.ranking.making import assert_no_score_moves_with_the_batch
from tests.ranking.test_rescoring import KNOWN, STATES, second_stage
from tests.ranking.worlds import NOW_MS, bundle, catalogue, settings, state
from workers.ranking.adding import check_scorers
from workers.ranking.generation import Generation
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.histories import HistoryBatch, Step, build_histories
from workers.ranking.model.isolated import IsolatedAttention
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.serving import Model
from workers.ranking.model.signals import GAPS, SIGNALS, Integers
from workers.ranking.pipeline import Pipeline

ITEM_WIDTH, LENGTH, ITEMS = 16, 8, 60
BOTH = pytest.mark.parametrize("history", ["bidirectional", "causal"])


def scorer(history: str = "bidirectional", width: int = 24, item_width: int = ITEM_WIDTH) -> IsolatedAttention:
    chosen = IsolatedTraining(width=width, layers=2, heads=3, history=history)  # type: ignore[arg-type]
    made = IsolatedAttention(item_width, LENGTH, chosen, seed=1)
    generator = torch.Generator().manual_seed(7)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=generator)
    made.eval()
    return made


def world(seed: int = 0, users: int = 5) -> tuple[Matrix, HistoryBatch, Integers, Integers]:
    draws = np.random.default_rng(seed)
    matrix = draws.standard_normal((ITEMS, ITEM_WIDTH)).astype(np.float32)
    pasts: list[list[Step]] = []
    for length in [1, LENGTH, *draws.integers(1, LENGTH + 1, size=users - 2).tolist()]:
        times_ms = np.cumsum(draws.integers(10**7, size=length)).tolist()
        pasts.append([(int(draws.integers(ITEMS)), int(draws.integers(SIGNALS)), ms) for ms in times_ms])
    counts = draws.integers(1, 20, size=users)
    rows = np.concatenate([draws.permutation(ITEMS)[:count] for count in counts.tolist()])
    return matrix, build_histories(pasts, LENGTH), np.repeat(np.arange(users), counts), rows


@torch.inference_mode()
def masked(made: IsolatedAttention, matrix: Matrix, past: HistoryBatch, rows: Integers, causal: bool) -> Matrix:
    """Return the scores of one user's candidates by plain attention over [history | candidates] under one mask."""
    length, count = int(past.lengths[0]), len(rows)
    assert past.gaps.max() < GAPS
    numbers, signals, gaps = (torch.from_numpy(column[0, :length]) for column in past[:3])
    items, candidates = torch.from_numpy(matrix)[numbers], torch.from_numpy(matrix[rows])
    ages = torch.arange(length - 1, -1, -1)
    x = torch.cat(
        [
            made.item(items) + made.signal(signals) + made.gap(gaps) + made.age(ages),
            made.item(candidates) + made.candidate,
        ]
    )
    sees = torch.zeros(length + count, length + count, dtype=torch.bool)
    sees[:, :length] = True
    if causal:
        sees[:length, :length] = torch.ones(length, length, dtype=torch.bool).tril()
    sees[length:, length:] = torch.eye(count, dtype=torch.bool)
    for layer in made.layers:
        split = layer.query_key_value(layer.attention_norm(x)).view(len(x), 3, layer.heads, -1).permute(1, 2, 0, 3)
        scores = (split[0] @ split[1].transpose(1, 2) / math.sqrt(split.shape[-1])).masked_fill(~sees, -torch.inf)
        x = x + layer.attention_out((scores.softmax(-1) @ split[2]).transpose(0, 1).reshape(len(x), -1))
        x = x + layer.feed_out(functional.gelu(layer.feed_in(layer.feed_norm(x))))
    found: Matrix = made.out(made.norm(x[length:]))[:, 0].numpy()
    return found


@BOTH
def test_split_attention_is_attention_under_the_plain_mask(history: str) -> None:
    made = scorer(history)
    with torch.no_grad():
        made.out.weight.mul_(0.1)
    for seed in range(6):
        matrix, pasts, owners, rows = world(seed)
        found = made.added(matrix, pasts, owners, rows)
        for user in range(len(pasts.lengths)):
            one = HistoryBatch(*(column[user : user + 1] for column in pasts))
            mine = owners == user
            expected = masked(made, matrix, one, rows[mine], history == "causal")
            np.testing.assert_allclose(found[mine], expected, atol=2e-6)


@BOTH
def test_a_score_moves_neither_with_the_other_candidates_nor_with_the_batch(history: str) -> None:
    made = scorer(history)
    matrix, pasts, owners, rows = world(users=40)
    together = made.added(matrix, pasts, owners, rows)
    assert np.ptp(together) > 1
    for place in np.random.default_rng(0).permutation(len(rows))[:30].tolist():
        user = int(owners[place])
        length = int(pasts.lengths[user])
        numbers, signals, gaps = (column[[user], :length] for column in pasts[:3])
        one = HistoryBatch(numbers, signals, gaps, pasts.lengths[[user]])
        alone = made.added(matrix, one, np.zeros(1, np.int64), rows[[place]])
        np.testing.assert_allclose(alone, together[[place]], atol=1e-5)


def test_the_history_counts_and_so_does_its_order() -> None:
    made = scorer()
    matrix, pasts, owners, rows = world()
    before = made.added(matrix, pasts, owners, rows)
    other = pasts._replace(rows=np.where(pasts.rows == pasts.rows[1, 0], 0, pasts.rows))
    turned = pasts._replace(rows=np.where(pasts.lengths[:, None] == LENGTH, pasts.rows[:, ::-1], pasts.rows))
    of_second = owners == 1
    for changed in (other, turned):
        assert np.abs(made.added(matrix, changed, owners, rows) - before)[of_second].max() > 1e-3


def test_parts_of_a_batch_that_are_made_apart_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scorer()
    matrix, pasts, owners, rows = world(users=9)
    kept = np.flatnonzero(owners != 4)  # one user has no candidate at all
    whole = made.added(matrix, pasts, owners[kept], rows[kept])
    monkeypatch.setattr("workers.ranking.model.isolated._PLACES_AT_ONCE", 60)
    np.testing.assert_allclose(made.added(matrix, pasts, owners[kept], rows[kept]), whole, atol=1e-5)
    assert not len(made.added(matrix, pasts, owners[:0], rows[:0]))


def test_a_fresh_scorer_adds_nothing() -> None:
    assert not IsolatedAttention(ITEM_WIDTH, LENGTH, IsolatedTraining()).added(*world()).any()


CHOSEN = TrainingSettings(
    stages=("towers", "reranker", "isolated"), isolated=IsolatedTraining(width=24, layers=2, heads=3)
)


def whole_bundle(seed: int = 0, item_width: int = ITEM_WIDTH) -> Bundle:
    weights = scorer(item_width=item_width).state_dict()
    return bundle(seed, KNOWN, second_stage(), CHOSEN, {"isolated": weights})


def served(*added: str) -> Pipeline:
    chosen = settings(added_scorers=added)
    return Pipeline(Generation(Model(whole_bundle()), catalogue(chosen), chosen), chosen)


def test_in_a_slate_it_is_a_part_of_its_own_and_the_parts_add_up() -> None:
    pipeline, plain = served("isolated"), served()
    queries = pipeline.hydrate(STATES)
    candidates, _ = pipeline.candidates(queries, NOW_MS)
    scored, without = pipeline.score(queries, candidates), plain.score(queries, candidates)
    np.testing.assert_allclose(sum(scored.parts.values()), scored.scores, atol=1e-5)
    np.testing.assert_allclose(without.scores + scored.parts["isolated"], scored.scores, atol=1e-5)
    strangers = candidates.owners == 1
    assert not scored.parts["isolated"][strangers].any()
    assert scored.parts["isolated"][~strangers].all()
    assert "isolated" not in without.parts
    (slate, *_) = pipeline.recommend(STATES, NOW_MS)
    assert all(
        sum(parts.values()) == pytest.approx(score, abs=1e-4)
        for parts, score in zip(slate.parts, slate.scores.tolist(), strict=True)
    )


def test_a_served_score_moves_with_no_other_user() -> None:
    pipeline = served("isolated")
    assert_no_score_moves_with_the_batch(pipeline, STATES)
    nobody = pipeline.hydrate([state("x")])
    assert set(pipeline.score(nobody, pipeline.candidates(nobody, NOW_MS)[0]).parts) == {"model", "popularity"}


def test_serving_reads_the_history_as_training_does() -> None:
    pipeline = served("isolated")
    generation, model = pipeline._generation, Model(whole_bundle())
    (query,) = pipeline.hydrate(STATES[:1])
    candidates, _ = pipeline.candidates([query], NOW_MS)
    steps = list(zip(query.history.tolist(), query.signals.tolist(), query.times_ms.tolist(), strict=True))
    assert query.times_ms.tolist() == [past.event_time_ms for past in STATES[0].history]
    assert model.isolated is not None
    expected = model.isolated.added(
        generation.item_matrix, build_histories([steps], 8), np.zeros_like(candidates.rows), candidates.rows
    )
    np.testing.assert_allclose(pipeline.score([query], candidates).parts["isolated"], expected, atol=1e-6)


def test_it_comes_back_from_disk_whole_or_not_at_all(tmp_path: Path) -> None:
    saved = whole_bundle()
    saved.save(tmp_path / "a")
    loaded = Bundle.load(tmp_path / "a")
    assert loaded.version == saved.version != bundle(0, KNOWN, second_stage(), CHOSEN).version
    matrix, *rest = world()
    loaded_scorer, made = Model(loaded).isolated, scorer()
    assert loaded_scorer is not None
    np.testing.assert_array_equal(loaded_scorer.added(matrix, *rest), made.added(matrix, *rest))
    path = tmp_path / "a" / "isolated.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"isolated\.safetensors is damaged"):
        Bundle.load(tmp_path / "a")
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        Bundle.load(tmp_path / "a")


def test_weights_of_another_dimension_are_refused() -> None:
    with pytest.raises(DataError, match="do not fit this version"):
        Model(whole_bundle(item_width=ITEM_WIDTH + 2))


def test_a_model_without_it_is_refused_where_the_settings_name_it() -> None:
    without = Model(bundle(0, KNOWN, second_stage()))
    with pytest.raises(DataError, match=r"added_scorers names isolated, .* it has: none"):
        check_scorers(without, ["isolated"])
    check_scorers(without, [])
    check_scorers(Model(whole_bundle()), ["isolated"])


@pytest.mark.parametrize(
    ("ranking", "said"),
    [
        ({"added_scorers": ["oracle"]}, "ranking.added_scorers.0 is wrong: Input should be .*isolated"),
        ({"added_scorers": ["isolated", "isolated"]}, "twice"),
        ({"added_scorers": ["isolated"], "scorer": "cheapest"}, "add to the scorer model"),
    ],
)
def test_a_wrong_name_stops_at_once(ranking: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        load_settings(ranking=ranking)
