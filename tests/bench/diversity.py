"""How much more different the items of a slate can be for one per cent of its quality, on MovieLens-100K.

A model is trained on the older four fifths, as `headrace train` does. In the newest fifth slates are made before
every so-manieth event from what its user had done until then, as the worker makes them, once for each strength of
`ranking.diversity` and of `ranking.variety`. What a user sees of it is how many genres a slate shows: that is the
figure. Beside it stands 1 less the mean cosine of the centred texts in a slate, as `headrace evaluate` has it, and
the mean Jaccard distance of the genres of two of its items.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
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

DIVERSITY: Final = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
VARIETY: Final = (0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.012)
_TRAINED_SHARE: Final = 0.8
_KEPT: Final = 0.99
_BATCH: Final = 64
Matrix = npt.NDArray[np.float32]
T = TypeVar("T")


class Question(NamedTuple):
    """A user as they were before an event, and the item of that event."""

    state: UserState
    item_id: str


class Measured(NamedTuple):
    """Means over slates."""

    ndcg: float
    texts: float
    genres: float
    genres_apart: float


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
    various = settings.ranking.model_copy(update={"variety": VARIETY[0]})  # the catalogue must note the genres
    catalogue = _catalogue(dataset.items, texts, settings.model_copy(update={"ranking": various}))
    generation = Generation(Model(bundle), catalogue, settings)
    try:
        questions = list(_questions(dataset.events, cut, every, settings))
        genres = {item.item_id: set(item.categories) for item in dataset.items}

        def measured(**wishes: float) -> Measured:
            return _measured(questions, generation, settings, genres, wishes)

        plain = measured()
        by_text = [measured(diversity=strength) for strength in DIVERSITY]
        by_genre = [measured(variety=strength) for strength in VARIETY]
    finally:
        generation.close()
        if generation.texts is not None:
            generation.texts.close()
    return [
        Figure("diversity_gain_at_1pct_ndcg", _gain("genres", plain, by_genre), "share", ">= 0.15"),
        Figure("diversity_gain_genres_apart", _gain("genres_apart", plain, by_genre), "share"),
        Figure("diversity_gain_texts", _gain("texts", plain, by_text), "share"),
        Figure("diversity_off_genres", plain.genres, "a slate"),
        Figure("diversity_off_genres_apart", plain.genres_apart, "1 - Jaccard"),
        Figure("diversity_off_ndcg_at_10", plain.ndcg, ""),
        Figure("diversity_off", plain.texts, "1 - cosine"),
        Figure("diversity_questions", len(questions), "slates"),
    ]


def _gain(measure: str, plain: Measured, curve: Sequence[Measured]) -> float:
    """Return how much more of a measure there is to be had for one per cent of NDCG."""
    allowed = [getattr(found, measure) for found in (plain, *curve) if found.ndcg >= _KEPT * plain.ndcg]
    return float(max(allowed) / getattr(plain, measure) - 1)


def _measured(
    questions: Sequence[Question],
    generation: Generation,
    settings: Settings,
    genres: Mapping[str, set[str]],
    wishes: dict[str, float],
) -> Measured:
    """Return what slates are like that are made with these settings; `genres` are by item id."""
    ranking = settings.ranking.model_copy(update=wishes | {"slate_length": 10})
    pipeline = Pipeline(generation, settings.model_copy(update={"ranking": ranking}))
    catalogue = generation.catalogue
    vectors = catalogue.text_vectors[: len(catalogue)]
    unit = vectors - vectors.mean(axis=0)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    sums = np.zeros(len(Measured._fields))
    for batch in chunks(questions, _BATCH):
        now_ms = max(question.state.last_event_time_ms for question in batch)
        slates = pipeline.recommend([question.state for question in batch], now_ms)
        for question, slate in zip(batch, slates, strict=True):
            place = np.flatnonzero(slate.rows == catalogue.row(question.item_id))
            shown = [genres[catalogue[row].item_id] for row in slate.rows.tolist()]
            sums += (
                float(1 / np.log2(place[0] + 2)) if len(place) else 0.0,
                _difference(unit[slate.rows]),
                len(set().union(*shown)),
                _apart(shown),
            )
    return Measured(*(sums / len(questions)).tolist())


def _apart(genres: Sequence[set[str]]) -> float:
    pairs = list(combinations(genres, 2))
    return sum(1 - len(one & other) / max(1, len(one | other)) for one, other in pairs) / max(1, len(pairs))


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
