"""The cross-encoder of a bundle: a language model reads what a user liked last, and a candidate, together.

What it adds to a score is never negative. It reads only the best few candidates of a user, so those that it did
not read keep their places below those that it did; no candidate's score moves with the others, only whether it is
read does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from encoder.texts import item_text
from streams.clock import Clock, monotonic_seconds
from streams.contracts import Item
from streams.contracts.events import EventType
from streams.errors import DataError
from streams.settings.scorers import CrossEncoderServing, CrossEncoderTraining
from workers.ranking.model.actions import LIKED_FROM
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.manifest import Origin
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.signals import EVENT_TYPES, RATING_BUCKETS, SIGNALS, Integers

if TYPE_CHECKING:
    from encoder.cross import CrossEncoder

_BETWEEN: Final = "; "


def _liked() -> npt.NDArray[np.bool_]:
    """Return which signals speak for an item, bool (SIGNALS,): all but dislikes and ratings that are not high."""
    found = np.ones(SIGNALS, np.bool_)
    found[:LIKED_FROM] = False
    found[RATING_BUCKETS + EVENT_TYPES.index(EventType.DISLIKE)] = False
    return found


LIKED: Final = _liked()


def newest_liked(rows: Integers, signals: Integers, most: int) -> Integers:
    """Return the rows that a user liked last, newest first, each once, int64; any rows where none was liked.

    Args:
        rows: int64 (h,), oldest first.
        signals: int64 (h,), see `signal_of`.
    """
    kept = rows[LIKED[signals]]
    newest = (kept if len(kept) else rows)[::-1]
    _, first = np.unique(newest, return_index=True)
    found: Integers = newest[np.sort(first)[:most]]
    return found


def history_text(texts: Sequence[str]) -> str:
    """Return one text of those of the items, the newest first: what is cut is the oldest."""
    return _BETWEEN.join(texts)


def described(title: str, categories: tuple[str, ...], template: str) -> str:
    """Return an item's text by the setting `training.cross_encoder.item_template`."""
    return item_text(Item(item_id="item", title=title, categories=categories), template)


def best_of(scores: Matrix, owners: Integers, most: int) -> Integers:
    """Return the places of the `most` best candidates of each owner, ascending, int64; ties by place.

    Args:
        scores: float32 (m,); what is no number comes last.
        owners: int64 (m,), ascending.
    """
    order = np.lexsort((-np.where(np.isnan(scores), -np.inf, scores), owners))
    ranks = np.arange(len(order)) - np.searchsorted(owners, owners)
    return np.sort(order[ranks < most])


class CrossScorer:
    """The cross-encoder at work.

    Args:
        encoder: with the weights that were learned.
        trained: how it was trained; what it reads is made the same way.
        candidates: best ones of a user that it reads.

    Attributes:
        slate_seconds: what the candidates of one user took when it was tried, with texts as long as they may be.
    """

    def __init__(
        self,
        encoder: "CrossEncoder",
        trained: CrossEncoderTraining,
        candidates: int,
        clock: Clock = monotonic_seconds,
    ) -> None:
        self._encoder, self.candidates = encoder, candidates
        self.template, self.history_items = trained.item_template, trained.history_items
        before = clock()
        self.added([" ".join(["item"] * trained.max_tokens)] * candidates, ["item"] * candidates)
        self.slate_seconds = clock() - before

    def added(self, pasts: Sequence[str], texts: Sequence[str]) -> Matrix:
        """Return what is added to each score, float32 (m,), at least 0; each pair's depends on itself (to 1e-5).

        Args:
            pasts: m texts of `history_text`.
            texts: m texts of candidates.
        """
        found: Matrix = np.logaddexp(0, self._encoder.scores(pasts, texts)).astype(np.float32)
        return found


def load_cross(bundle: Bundle, serving: CrossEncoderServing) -> CrossScorer:
    """Return the cross-encoder of a bundle that has one, on its base model as it is found here.

    Raises:
        SettingError: the extra `lora` is not installed, or the device or the base model is not here.
        DataError: the base model is another one, or the weights do not fit it.
    """
    from encoder.adapted import load_adapted, restore  # noqa: PLC0415 - transformers is slow to import
    from encoder.cross import CrossEncoder  # noqa: PLC0415

    trained = CrossEncoderTraining.model_validate(bundle.manifest.settings["cross_encoder"])
    origin = bundle.manifest.base_model
    if not isinstance(origin, Origin):
        raise DataError(
            f"The model {bundle.version} does not say what its cross-encoder was trained on.", "train it again."
        )
    adapted = load_adapted(trained, "ranking.cross_encoder", place=serving.model, device=serving.device)
    restore(adapted, bundle.added["cross_encoder"], origin.name, origin.sha256)
    return CrossScorer(
        CrossEncoder(adapted, trained.max_tokens, serving.token_budget), trained, serving.candidates
    )
