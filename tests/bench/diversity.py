"""How much more different the items of a slate can be for one per cent of its quality, on MovieLens-100K.

A model is trained on the older four fifths, as `headrace train` does. In the newest fifth slates are made before
every so-manieth event from what its user had done until then, as the worker makes them, once for each strength of
diversity. Diversity is 1 less the mean cosine of the centred texts in a slate, as `headrace evaluate` has it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from encoder.loading import load_encoder
from encoder.texts import item_text
from streams.clock import to_ms
from streams.codec import SCHEMA_VERSION
from streams.contracts import Event, Item, ItemVector, Source, UserState
from streams.settings import Settings
from streams.state.fold import fold
from streams.topics import CLICKSTREAM
from tests.bench.report import Figure
from workers.datasets.loading import load_dataset
from workers.ranking.candidates import Candidates
from workers.ranking.catalogue import Catalogue, Rows
from workers.ranking.generation import Generation
from workers.ranking.model.serving import Model
from workers.ranking.model.training import ItemTexts, train
from workers.ranking.pipeline import Pipeline

STRENGTHS: Final = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_TRAINED_SHARE: Final = 0.8
_KEPT: Final = 0.99
_BATCH: Final = 64
Matrix = npt.NDArray[np.float32]
T = TypeVar("T")


class Question(NamedTuple):
    """A user as they were before an event, and the item of that event."""

    state: UserState
    item_id: str


def chunks(values: Sequence[T], length: int) -> list[Sequence[T]]:
    """Return the values in runs of `length`; the last may be shorter."""
    return [values[start : start + length] for start in range(0, len(values), length)]


def same_candidates(rows: Rows, queries: int) -> Candidates:
    """Return `rows`, ascending, for each of so many queries."""
    owners = np.repeat(np.arange(queries), len(rows))
    return Candidates(
        np.tile(rows, queries), owners, np.zeros(len(owners), np.uint32), np.zeros(len(owners), np.float32)
    )


def figures(every: int) -> list[Figure]:
    """Return the gain, and what it was measured against.

    Args:
        every: so-manieth event of the newest fifth that is a question.
    """
    settings = Settings()
    dataset = load_dataset("movielens-100k")
    texts = _texts(dataset.items, settings)
    cut = int(len(dataset.events) * _TRAINED_SHARE)
    bundle = train(texts, dataset.events[:cut], settings.training, settings.state, "bench")
    catalogue = _catalogue(dataset.items, texts, settings)
    generation = Generation(Model(bundle), catalogue, settings)
    try:
        questions = list(_questions(dataset.events, cut, every, settings))
        curve = [_measured(questions, generation, settings, strength) for strength in STRENGTHS]
    finally:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()
    (ndcg, plain), *_ = curve
    allowed = [different for quality, different in curve if quality >= _KEPT * ndcg]
    return [
        Figure("diversity_gain_at_1pct_ndcg", max(allowed) / plain - 1, "share", ">= 0.15"),
        Figure("diversity_off_ndcg_at_10", ndcg, ""),
        Figure("diversity_off", plain, "1 - cosine"),
        Figure("diversity_questions", len(questions), "slates"),
    ]


def _measured(
    questions: Sequence[Question], generation: Generation, settings: Settings, strength: float
) -> tuple[float, float]:
    """Return NDCG@10 and the diversity of slates made at this strength."""
    ranking = settings.ranking.model_copy(update={"diversity": strength, "slate_length": 10})
    pipeline = Pipeline(generation, settings.model_copy(update={"ranking": ranking}))
    catalogue = generation.catalogue
    vectors = catalogue.text_vectors[: len(catalogue)]
    unit = vectors - vectors.mean(axis=0)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    gain, different = 0.0, 0.0
    for batch in chunks(questions, _BATCH):
        now_ms = max(question.state.last_event_time_ms for question in batch)
        slates = pipeline.recommend([question.state for question in batch], now_ms)
        for question, slate in zip(batch, slates, strict=True):
            place = np.flatnonzero(slate.rows == catalogue.row(question.item_id))
            gain += float(1 / np.log2(place[0] + 2)) if len(place) else 0.0
            different += _difference(unit[slate.rows])
    return gain / len(questions), different / len(questions)


def _difference(unit: Matrix) -> float:
    if len(unit) < 2:
        return 0.0
    pairs = np.triu_indices(len(unit), 1)
    return 1 - float((unit @ unit.T)[pairs].mean())


def _questions(events: Sequence[Event], cut: int, every: int, settings: Settings) -> Iterator[Question]:
    states: dict[str, UserState] = {}
    for number, event in enumerate(events):
        before = states.get(event.user_id)
        if before is not None and number >= cut and number % every == 0 and event.item_id:
            yield Question(before, event.item_id)
        source = Source(topic=CLICKSTREAM, partition=0, offset=number, create_time_ms=to_ms(event.event_time))
        states[event.user_id] = fold(before, event, source, settings.state)


def _texts(items: Sequence[Item], settings: Settings) -> ItemTexts:
    encoder = load_encoder(settings.encoder)
    texts = [item_text(item, settings.encoder.item_template) for item in items]
    return ItemTexts(tuple(item.item_id for item in items), encoder.encode_documents(texts))


def _catalogue(items: Sequence[Item], texts: ItemTexts, settings: Settings) -> Catalogue:
    catalogue = Catalogue(settings.ranking)
    for item, vector in zip(items, texts.text_vectors, strict=True):
        catalogue.put(
            ItemVector(
                schema_version=SCHEMA_VERSION,
                item_id=item.item_id,
                vector=vector.astype("<f4").tobytes(),
                content_hash=bytes(16),
                title=item.title,
                categories=item.categories,
                price=item.price,
                available=True,
                expires_at_ms=None,
            )
        )
    return catalogue
